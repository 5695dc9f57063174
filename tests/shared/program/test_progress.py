"""When progress is drawn, by a clock that tests move; its looks: `tests/whole/programs/test_terminal.py`."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from shared.program import progress, screen
from shared.program.progress import Progress
from tests.stage.clocks import Clock


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
    monkeypatch.setattr(screen, "sys", SimpleNamespace(stderr=terminal))  # pytest sets the real one before a test
    monkeypatch.setenv("TERM", "xterm")
    return terminal


def test_it_comes_after_a_second_and_ten_times_a_second_at_most(clock: Clock, terminal: Terminal) -> None:
    with Progress("Reading", 1_000) as line:
        line.add(0)
        clock.move(0.5)
        line.add(100)
        clock.move(0.4)
        line.add(100)
        assert terminal.drawn() == ""
        clock.move(0.6)
        line.add(100)
        assert terminal.drawn().endswith("  30%  300 of 1,000 values  200 values/s  4s left")
        clock.move(0.05)
        line.add(100)
        assert terminal.drawn() == ""
        clock.move(0.45)
        line.add(-200)  # an attempt that is to be done again
        clock.move(0.5)
        line.add(300)
        assert "  500 of 1,000 values" in terminal.drawn()


def test_a_run_of_less_than_a_second_leaves_the_terminal_alone(clock: Clock, terminal: Terminal) -> None:
    with Progress("Writing", 1_000) as line:
        clock.move(0.99)
        line.add(1_000)
    assert terminal.drawn() == ""


@pytest.mark.parametrize("why", ["no terminal", "a dumb one", "left alone"])
def test_nothing_is_drawn_where_it_is_not_to_be(
    clock: Clock, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    if why == "no terminal":
        monkeypatch.setattr(terminal, "isatty", lambda: False)
    elif why == "a dumb one":
        monkeypatch.setenv("TERM", "dumb")
    else:
        monkeypatch.setattr(screen.screen, "is_left_alone", True)
    with Progress("Writing", 1_000) as line:
        for _ in range(10):
            clock.move(1)
            line.add(100)
    assert terminal.drawn() == ""


def test_it_ends_with_how_far_it_came_on_a_line_of_its_own(clock: Clock, terminal: Terminal) -> None:
    with Progress("Reading", 1_000) as line:
        line.add(0)
        clock.move(2)
        line.add(900)
        assert "  900 of 1,000 values  450 values/s" in terminal.drawn()
        clock.move(0.01)
        line.add(100)
        assert terminal.drawn() == ""
    assert "  100%  1,000 of 1,000 values" in (drawn := terminal.drawn())
    assert drawn.endswith("\n")


def test_without_a_total_it_tells_how_many_and_how_fast(clock: Clock, terminal: Terminal) -> None:
    with Progress("Looking", None, unit="keys") as line:
        line.add(0)
        clock.move(2)
        line.add(900)
        assert terminal.drawn().endswith("Looking  900 keys  450 keys/s")


def test_what_a_resumed_run_kept_is_counted_and_no_speed(clock: Clock, terminal: Terminal) -> None:
    with Progress("Writing", 10_000_000) as line:
        line.count(9_000_000)
        line.add(0)
        clock.move(2)
        line.add(200_000)
        assert "92%  9,200,000 of 10,000,000 values  100,000 values/s  8s left" in terminal.drawn()


def test_idle_time_is_no_reading_time_and_told_after_a_second(clock: Clock, terminal: Terminal) -> None:
    with Progress("Reading", 4_000) as line:
        line.add(0)
        clock.move(2)
        line.add(2_000)
        assert "1,000 values/s" in terminal.drawn()
        for _ in range(30):
            line.rest()
            clock.move(0.2)
        assert terminal.drawn().count("waiting") == 1  # the same text is not written again
        line.work()
        line.add(0)
        clock.move(1)
        line.add(1_000)
        assert "1,000 values/s  1s left" in terminal.drawn()


def test_what_else_is_written_takes_the_line_away(clock: Clock, terminal: Terminal) -> None:
    with Progress("Reading", 1_000) as line:
        clock.move(2)
        line.add(100)
        terminal.drawn()
        screen.screen.clear()
        assert terminal.drawn() == "\r\x1b[K"
        screen.screen.clear()
        assert terminal.drawn() == ""
