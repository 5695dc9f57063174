"""The stage of `make stage` as a process, its buttons pressed as a browser presses them."""

from __future__ import annotations

import http.client
import json
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from markupsafe import escape

from demo.stage.buttons import BUTTONS
from shared.page.render import VERDICTS
from tests.stage.demo_stage import Stage
from tests.stage.leftovers import processes_of
from tests.stage.programs import run_program
from tests.stage.servers import binary

COMMAND = (sys.executable, "-m", "demo.stage", "--listen", "127.0.0.1:0", "--every", "1")
RUN_ID = r"[0-9]{8}T[0-9]{9}Z-[0-9a-f]{6}"
PATIENCE_S = 100.0
_ROW = re.compile(r'<tr><th scope="row">\d+</th><td>(.*?)</td><td>.*?</td><td>(.*?)</td><td>(.*?)</td>(.*?)</tr>')


class Answer(NamedTuple):
    """An answer: its status, headers by lower-case name, and body."""

    status: int
    headers: dict[str, str]
    body: str


class Row(NamedTuple):
    """One line of the list of what was done, as HTML."""

    label: str
    state: str
    told: str
    run_id: str


class StagePage:
    """The page of a stage that plays.

    Attributes:
        session: The cookie of our session.
        token: What its forms send.
    """

    def __init__(self, stage: Stage) -> None:
        """Wait for its link and begin a session."""
        stage.wait_until_printed("Ctrl-C ends all of it.")
        self.stage = stage
        self.link = re.findall(r"http://\S+/", stage.stdout)[0]
        first = self.ask("/")
        self.session = first.headers["set-cookie"].partition(";")[0]
        self.token = token_of(first)

    def ask(self, path: str, *, method: str = "GET", body: str | None = None, **headers: str) -> Answer:
        """Send a request."""
        connection = http.client.HTTPConnection(self.link.split("/")[2], timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, names, answer.read().decode())
        finally:
            connection.close()

    def press(self, button: str, *, token: str | None = None, **headers: str) -> Answer:
        """Press a button."""
        body = urlencode({"token": self.token if token is None else token, "button": button})
        return self.ask("/press", method="POST", body=body, **{"Cookie": self.session, **headers})

    def rows(self) -> list[Row]:
        """Return what was done, the newest first."""
        return rows_of(self.ask("/", Cookie=self.session).body)

    def until(self, predicate: Callable[[str], bool], *, path: str = "", what: str) -> str:
        """Return the first drawing of which this is true, as a tab gets it; fail with `what` after 100 seconds."""
        give_up_at = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up_at:
            connection = http.client.HTTPConnection(self.link.split("/")[2], timeout=60)
            with closing(connection):
                connection.request("GET", f"/events{path}")
                answer = connection.getresponse()
                while (line := answer.readline()) and time.monotonic() < give_up_at:
                    if line.startswith(b"data: ") and predicate(html := str(json.loads(line[6:])["html"])):
                        return html
        raise AssertionError(f"waited {PATIENCE_S:g} s in vain until {what}: {self.rows()} {self.stage.stderr}")

    def done(self, button: str) -> Row:
        """Press a button and wait until what it asks for is done."""
        label = str(escape(BUTTONS[button].label))

        def own(html: str) -> list[Row]:
            return [row for row in rows_of(html) if row.label == label]

        before = len(own(self.ask("/").body))
        assert self.press(button).status == 204

        def is_done(html: str) -> bool:
            states = [row.state for row in own(html)[: len(own(html)) - before]]
            assert "not done" not in states, own(html)
            return states == ["done"]

        return own(self.until(is_done, what=f"{label} is done"))[0]

    def facts(self, run_id: str, verdict: str) -> Any:
        """Return what the report of a run says in JSON, as soon as it has its verdict and server-a is done."""
        ended = f"<h1>{VERDICTS[verdict]}</h1>"
        self.until(
            lambda html: ended in html and "<li>finished 2" in html, path=f"/runs/{run_id}", what=f"{run_id} {verdict}"
        )
        return run_program("server-b", "report", run_id, "--json", server=self.redis_url).json()["run"]

    @property
    def redis_url(self) -> str:
        """The page's endpoint, which leads to whoever is primary."""
        return str(re.findall(r"<code>(redis://127.0.0.1:\d+/0)</code>", self.ask("/").body)[0])


def token_of(answer: Answer) -> str:
    """Return the token of the form on a page."""
    return str(re.findall(r'name="token" value="(\w+)"', answer.body)[0])


def rows_of(html: str) -> list[Row]:
    """Return what was done, as a drawing lists it, the newest first."""
    return [
        Row(label, state, told, next(iter(re.findall(RUN_ID, rest)), ""))
        for label, state, told, rest in _ROW.findall(html)
    ]


@pytest.fixture(scope="module")
def played(session_directory: Path) -> Iterator[StagePage]:
    """A stage that plays, one for all tests of a module, with a pause of a second between runs."""
    binary("valkey9")
    stage = Stage(Path(tempfile.mkdtemp(dir=session_directory)))
    process = stage.start(*COMMAND)
    try:
        yield StagePage(stage)
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(Exception):
            process.wait(60)
        process.kill()
        process.wait()
    assert (process.returncode, stage.stderr) == (0, "")
    assert not processes_of(stage.directory)
