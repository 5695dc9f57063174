"""When the progress bar is drawn, by a clock that tests move; its looks: `tests/whole/programs/test_terminal.py`."""

from __future__ import annotations

import io
import re
import time
from types import SimpleNamespace

import pytest

from shared.program import progress
from shared.program.progress import Progress
from tests.stage.clocks import Clock


class ClockOnTheWall(Clock):
    """A clock that tests move, beside one that goes by itself and that click looks at too."""

    def time(self) -> float:
        """Return the time of day, in seconds since 1970."""
        return time.time()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = ClockOnTheWall()
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
        assert re.search(r"  300/1000  00:00:0\d  200 values/s", terminal.drawn())
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


def test_the_bar_ends_with_how_far_it_came_on_a_line_of_its_own(clock: Clock, terminal: Terminal) -> None:
    with Progress("Reading", 1_000) as bar:
        clock.move(2)
        bar.add(900)
        assert re.search(r"  900/1000  00:00:0\d  450 values/s", terminal.drawn())
        clock.move(0.01)
        bar.add(100)
        assert terminal.drawn() == ""
    assert re.search(r"  1000/1000 .*\n", terminal.drawn())


def test_without_a_total_it_tells_how_many_and_how_fast(clock: Clock, terminal: Terminal) -> None:
    with Progress("Looking", None, unit="keys") as bar:
        clock.move(2)
        bar.add(900)
        assert re.search(r"  900  .*450 keys/s", terminal.drawn())
