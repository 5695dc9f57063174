"""How far a command is, as one line that fits a terminal: the narrower it is, the shorter the words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

LEAST_BAR, MOST_BAR = 10, 36
IDLE = ("waiting for signals", "waiting")
_UNITS = ("", "k", "M", "G", "T")


class Shown(NamedTuple):
    """What the line tells."""

    label: str
    unit: str
    done: int
    total: int | None
    per_s: float | None  # None while it can't be told
    is_idle: bool  # nothing is to be done just now
    segments: tuple[str, str, str] | None  # what is known of them, in many words, in few, and in hardly any


def progress_text(shown: Shown, columns: int) -> str:
    """Return the line; it is shorter than the terminal is wide, since some break a line that is just as long."""
    most = columns - 1
    for parts in _layouts(shown):
        text = "  ".join(parts)
        if len(text) <= most:
            return _with_bar(shown, parts, most - len(text))
        if len(text := " ".join(parts)) <= most:
            return text
    return _percent(shown)[:most]


def _layouts(shown: Shown) -> Iterator[list[str]]:
    """Yield what to show, from all of it in full words to the little that fits anywhere."""
    longest, middle, shortest = shown.segments or ("", "", "")
    label, percent = shown.label, _percent(shown)
    full, short = _counted(shown), _counted(shown, is_short=True)
    for segments, count, pace in (
        (longest, full, _pace(shown, f" {shown.unit}/s")),
        (longest, short, _pace(shown, f" {shown.unit}/s", is_short=True)),
        (middle, short, _pace(shown, "/s", is_short=True)),
    ):
        yield _without_empty(label, percent, count, *pace, segments)
    total = f"/{short_number(shown.total)}" if shown.total is not None else ""
    bare, pace = f"{short_number(shown.done)}{total}", _pace(shown, "/s", is_short=True)
    yield _without_empty(label, percent, bare, *pace, shortest)
    yield _without_empty(percent, bare, *pace, shortest)
    yield _without_empty(label, percent, bare, *pace)
    yield _without_empty(label, percent, *pace)
    yield _without_empty(label, percent or bare)


def _without_empty(*parts: str) -> list[str]:
    return [part for part in parts if part]


def _with_bar(shown: Shown, parts: list[str], room: int) -> str:
    """Return the parts, with a bar behind the label where there is room for one."""
    width = min(MOST_BAR, room - 4)
    if shown.total and width >= LEAST_BAR and parts[0] == shown.label:
        filled = width * min(shown.done, shown.total) // shown.total
        parts = [parts[0], f"[{'#' * filled}{'-' * (width - filled)}]", *parts[1:]]
    return "  ".join(parts)


def _percent(shown: Shown) -> str:
    return f"{100 * max(0, min(shown.done, shown.total)) // shown.total}%" if shown.total else ""


def _counted(shown: Shown, *, is_short: bool = False) -> str:
    spell = short_number if is_short else _full_number
    total = f" of {spell(shown.total)}" if shown.total is not None else ""
    return f"{spell(shown.done)}{total} {shown.unit}"


def _pace(shown: Shown, unit: str, *, is_short: bool = False) -> tuple[str, str]:
    """Return the rate and how long the rest takes at it; in their place that nothing is to be done."""
    is_whole = shown.total is not None and shown.done >= shown.total
    if shown.is_idle and not is_whole:
        return IDLE[is_short], ""
    if shown.per_s is None:
        return "", ""
    rate = (short_number if is_short else _full_number)(round(shown.per_s))
    is_known = shown.total is not None and not is_whole and shown.per_s >= 1
    left = f"{short_time((shown.total - shown.done) / shown.per_s)} left" if is_known and shown.total else ""
    return f"{rate}{unit}", left


def _full_number(number: int) -> str:
    return f"{number:,}"


def short_number(number: int) -> str:
    """Return a number in at most four characters and a letter, such as 999, 1.2k, 43M; cut, never rounded up."""
    thousands, step = 0, 1
    while number // step >= 1_000 and thousands < len(_UNITS) - 1:
        thousands, step = thousands + 1, step * 1_000
    whole, tenths = number // step, number % step * 10 // step
    return f"{whole}.{tenths}{_UNITS[thousands]}" if thousands and whole < 10 else f"{whole}{_UNITS[thousands]}"


def short_time(seconds: float) -> str:
    """Return a time as 7s, 2m05s, 3h40m or 4d."""
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 100:
        return f"{hours // 24}d"
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest_s:02}s" if minutes else f"{rest_s}s"
