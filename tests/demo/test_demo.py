"""The demo as a user starts it: what it prints, and that nothing outlives it."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from demo import looks
from tests.stage.demo_stage import Stage
from tests.stage.leftovers import processes_of
from tests.stage.servers import binary, connect_url
from tests.stage.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is left running is found through /proc")

_DEMO = (sys.executable, "-m", "demo")
# Starts the demo as a child, as a shell does or, with the option that it is given, as make does, and waits for it.
_PARENT = """
import os, subprocess, sys
options = [*sys.argv[1:], str(os.getpid())] if sys.argv[1:] else []
subprocess.run([sys.executable, "-m", "demo", "--keep", *options])
"""


@pytest.fixture
def stage(session_directory: Path) -> Iterator[Stage]:
    """A demo that is not started yet; killed at the end, with all it started."""
    binary("valkey9")  # which skips the test if there is none
    started = Stage(Path(tempfile.mkdtemp(dir=session_directory)))
    yield started
    for pid in processes_of(started.directory):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if started.process:
        started.process.wait()


def test_the_demo_hands_the_cart_and_the_list_over(stage: Stage) -> None:
    assert stage.start(*_DEMO).wait(100) == 0, stage.stderr
    lines = stage.stdout.splitlines()
    commands = [line for line in lines if line.startswith("$ ")]
    assert commands == [
        "$ server-b run --once --wait-s 60 &",
        "$ server-a user add 1 --first-name Parker --last-name Perry",
        "$ server-a sku add sku123 --name AirPods --price 199.99",
        "$ server-a sku add sku456 --name 'Mechanical Keyboard' --price 89.99",
        "$ server-a cart add 1 sku123",
        "$ server-a cart add 1 sku456",
        "$ server-a cart add 1 sku123",
        "$ server-a cart remove 1 sku123",
        "$ server-a run",
        "$ server-b run --once --wait-s 60",
        "$ server-b report --html build/hand-over.html --json > build/hand-over.json",
    ]
    carts = ["\n".join(_after(lines, commands[number], nth)) for number, nth in ((4, 0), (5, 0), (4, 1), (7, 0))]
    for cart, total in zip(carts, ("199.99", "289.98", "489.97", "289.98"), strict=True):
        assert total in cart
    assert "Inserted 1 to 10,000 into 'biglist'." in _after(lines, "$ server-a run")
    consumer = _after(lines, "$ server-b run --once --wait-s 60")
    heading = consumer.index("First 10 values in reverse order:")
    assert consumer[heading + 1] == str([str(value) for value in range(10_000, 9_990, -1)])
    assert "verified" in "\n".join(consumer).lower()
    assert lines[-3].startswith("Handed over in ")
    assert "\x1b" not in stage.stdout
    assert stage.stderr == ""
    assert stage.is_empty()


def _after(lines: list[str], command: str, nth: int = 0) -> list[str]:
    """Return what the nth call of a command printed."""
    start = [number for number, line in enumerate(lines) if line == command][nth] + 1
    following = [number for number in range(start, len(lines)) if lines[number].startswith("$ ")]
    return lines[start : following[0] if following else len(lines)]


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
@pytest.mark.parametrize("part", ["-m demo", "valkey-server", "-m server_b", "-m server_a"])
def test_nothing_is_left_whichever_is_ended(stage: Stage, part: str, signal_number: signal.Signals) -> None:
    demo = stage.start(*_DEMO)
    if part != "-m server_b":
        stage.wait_until_printed("$ server-b")
    if part == "-m server_a":  # one that waits for its reply, so that it is not over before it is ended
        os.kill(stage.find("valkey-server"), signal.SIGSTOP)
    os.kill(stage.find(part), signal_number)
    code = demo.wait(60)
    stage.wait_until_empty()
    if part == "-m demo" and signal_number == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code > 0
        assert stage.stderr.splitlines()[-1].startswith("demo: ")


def test_the_exit_code_and_the_name_are_those_of_the_program_that_failed(stage: Stage) -> None:
    demo = stage.start(*_DEMO)
    os.kill(stage.find("-m server_b"), signal.SIGKILL)
    assert demo.wait(60) == 128 + signal.SIGKILL
    assert stage.stderr.splitlines()[-1] == "demo: server-b was ended by SIGKILL"


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_keep_leaves_the_server_up_until_it_is_stopped(stage: Stage, signal_number: signal.Signals) -> None:
    demo = stage.start(*_DEMO, "--keep")
    stage.wait_until_printed("Ctrl-C ends it")
    url = next(word for word in stage.stdout.split() if word.startswith("redis://"))
    with connect_url(url) as client:
        assert client.llen("biglist") == 10_000
    demo.send_signal(signal_number)
    assert demo.wait(60) == 0
    assert stage.is_empty()


def test_the_page_is_served_meanwhile_and_until_it_is_stopped(stage: Stage) -> None:
    demo = stage.start(*_DEMO, "--page")
    stage.wait_until_printed("Watch it at http://127.0.0.1:")
    link = next(word for word in stage.stdout.split() if word.startswith("http://"))
    assert "Handover" in _page(link)
    stage.wait_until_printed("The page stays until Ctrl-C.")
    wait_until(lambda: "10,000 values in 1 segment" in _page(link), description="the page shows the run")
    demo.send_signal(signal.SIGINT)
    assert demo.wait(60) == 0
    assert stage.is_empty()


def _page(link: str) -> str:
    with urllib.request.urlopen(link, timeout=60) as page:  # noqa: S310 - a link that the demo printed
        content: bytes = page.read()
    return content.decode()


@pytest.mark.parametrize(("no_color", "found"), [("", 1), ("1", 0)])
def test_headings_and_verdicts_have_colours_on_a_terminal(
    no_color: str, found: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert ("\x1b[1m" in looks.heading("The shop")) == found
    said = looks.with_colours("Run 1 verified: all\nRun 2 failed: one\nverified\n")
    assert said.count("\x1b[32m") == said.count("\x1b[31m") == found
    assert ("\x1b" in said) == found


def test_keep_ends_when_the_server_does(stage: Stage) -> None:
    demo = stage.start(*_DEMO, "--keep")
    stage.wait_until_printed("Ctrl-C ends it")
    os.kill(stage.find("valkey-server"), signal.SIGKILL)
    assert demo.wait(60) == 69
    assert stage.stderr == "demo: the embedded server ended\n"
    stage.wait_until_empty()


def test_a_demo_of_make_ends_when_make_is_killed(stage: Stage) -> None:
    make = stage.start(sys.executable, "-c", _PARENT, "--end-with-parent")
    stage.wait_until_printed("Valkey is up")
    make.kill()
    make.wait()
    stage.wait_until_empty()


def test_a_demo_started_by_hand_outlives_the_shell(stage: Stage) -> None:
    """As under nohup: only make asks for the demo to end with it."""
    shell = stage.start(sys.executable, "-c", _PARENT)
    stage.wait_until_printed("$ server-b")
    shell.kill()
    shell.wait()
    stage.wait_until_printed("Ctrl-C ends it")


def test_bad_arguments_are_one_sentence(stage: Stage) -> None:
    assert stage.start(*_DEMO, "--kep").wait(60) == 2
    assert stage.stderr == "demo: unrecognized arguments: --kep; see python -m demo --help\n"


def test_nobody_reading_on_is_no_fault_worth_a_traceback(stage: Stage) -> None:
    stage.start("sh", "-c", f"'{sys.executable}' -m demo | head -1").wait(60)
    stage.wait_until_empty()
    assert stage.stdout.startswith("Valkey is up at redis://127.0.0.1:")
    assert stage.stderr == ""
