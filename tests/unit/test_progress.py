"""When the progress bar is drawn, by a clock that tests move; what it looks like is in `tests/e2e/test_terminal.py`."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from shared import progress
from shared.progress import Progress
from tests.integration.test_write_time import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


class Terminal(io.StringIO):
    """What says that it is a terminal, and what was written on it since the last look."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True

    def drawn(self) -> str:
        """Return it, and forget it."""
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=terminal))  # pytest sets the real one before a test
    return terminal


def test_a_bar_comes_after_a_second_and_ten_times_a_second_at_most(clock: Clock, terminal: Terminal) -> None:
    with Progress("Reading", 1_000) as bar:
        clock.move(0.5)
        bar.add(100)
        clock.move(0.4)
        bar.add(100)
        assert terminal.drawn() == ""
        clock.move(0.6)
        bar.add(100)
        assert "  300/1000  200 values/s" in terminal.drawn()
        clock.move(0.05)
        bar.add(100)
        assert terminal.drawn() == ""
        clock.move(0.45)
        bar.add(-200)  # an attempt that is to be done again
        clock.move(0.5)
        bar.add(300)
        assert "  500/1000" in terminal.drawn()


def test_a_run_of_less_than_a_second_leaves_the_terminal_alone(clock: Clock, terminal: Terminal) -> None:
    with Progress("Writing", 1_000) as bar:
        clock.move(0.99)
        bar.add(1_000)
    assert terminal.drawn() == ""


def test_nothing_is_drawn_where_stderr_is_no_terminal(clock: Clock, capfd: pytest.CaptureFixture[str]) -> None:
    with Progress("Writing", 1_000) as bar:
        for _ in range(10):
            clock.move(1)
            bar.add(100)
    assert capfd.readouterr() == ("", "")
