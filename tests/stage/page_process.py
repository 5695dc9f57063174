"""`server-b page` as a process, and requests to it that a browser would not send."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from demo.processes import Program
from demo.servers import Server
from tests.stage.programs import StartProgram
from tests.stage.waiting import wait_until

_PATIENCE_S = 60.0


@dataclass
class Answer:
    """An answer: its status, headers by lower-case name, and body."""

    status: int
    headers: dict[str, str]
    body: str


class Tab:
    """A tab that listens to events, and comes again when it is told to, as one of many is."""

    def __init__(self, page: PageProcess, path: str) -> None:
        """Connect."""
        self._page, self._path, self._seen = page, path, ""
        self.visits = 0
        self._connect()

    def until(self, words: str) -> str:
        """Return the first drawing that has these words; AssertionError where the page ends before."""
        give_up_at = time.monotonic() + _PATIENCE_S
        while time.monotonic() < give_up_at:
            line = self._answer.readline()
            if line.startswith(b"id: "):
                self._seen = line.removeprefix(b"id: ").decode().strip()
            if line.startswith(b"data: "):
                shown: Any = json.loads(line.removeprefix(b"data: "))
                if words in shown["html"]:
                    return str(shown["html"])
            if not line:
                self.close()
                self._connect()
        raise AssertionError(f"the events did not show {words!r}")

    def until_sent_away(self) -> None:
        """Listen until the page ends this visit, as it does for one of many tabs."""
        while self._answer.readline():
            pass

    def close(self) -> None:
        """Close the tab."""
        self._answer.close()
        self._connection.close()

    def _connect(self) -> None:
        self.visits += 1
        self._connection = http.client.HTTPConnection("127.0.0.1", self._page.port, timeout=_PATIENCE_S)
        self._connection.request("GET", self._path, headers=self._page.headers | {"Last-Event-ID": self._seen})
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.status


@dataclass
class PageProcess:
    """A page that serves."""

    program: Program
    headers: dict[str, str] = field(default_factory=dict)
    link: str = ""
    tabs: list[Tab] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Wait for its link."""
        wait_until(
            lambda: self.program.output().endswith("\n") or not self.program.is_running,
            description="a link",
            timeout_s=60,
        )
        self.link = self.program.output().strip()
        assert self.link.startswith("http://"), self.program.errors()

    @property
    def port(self) -> int:
        """Where it listens."""
        port = urlsplit(self.link).port
        assert port
        return port

    def ask(self, path: str = "/", *, method: str = "GET", **headers: str) -> Answer:
        """Send a request; with `Host` a name other than its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, headers=self.headers | headers)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, names, answer.read().decode())
        finally:
            connection.close()

    def tab(self, path: str = "/events") -> Tab:
        """Open a tab."""
        self.tabs.append(Tab(self, path))
        return self.tabs[-1]

    def close(self) -> None:
        """Close all tabs."""
        for tab in self.tabs:
            tab.close()


Serve = Callable[..., PageProcess]


@pytest.fixture
def serve(start_program: StartProgram, server: Server, namespace: str) -> Iterator[Serve]:
    """Start a page on a free port; its tabs are closed after the test."""
    pages: list[PageProcess] = []

    def start(*options: str, listen: str = "127.0.0.1:0", url: str = "", namespace: str = namespace) -> PageProcess:
        arguments = ("page", "--listen", listen, *options)
        pages.append(PageProcess(start_program("server-b", *arguments, server=url or server, namespace=namespace)))
        return pages[-1]

    yield start
    for page in pages:
        page.close()
