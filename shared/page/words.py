"""Numbers and moments as the page words them, always with a unit. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_MS = 250_000_000_000_000


def number(value: int) -> str:
    """Return a whole number with separators, such as `1,000,000`."""
    return f"{value:,}"


def counted(value: int, one: str) -> str:
    """Return a number with its noun, such as `1 segment` or `2 segments`."""
    return f"{value:,} {one}{'' if value == 1 else 's'}"


def short_number(value: float) -> str:
    """Return a number in three digits, such as `1.61 million`."""
    for size, word in ((1_000_000_000, " billion"), (1_000_000, " million"), (1_000, " thousand")):
        if value >= size * (1 if size > 1_000 else 10):
            return f"{value / size:.3g}{word}"
    return f"{value:,.0f}"


def duration(milliseconds: float) -> str:
    """Return a time that something took, such as `12 ms`, `1.23 s` or `2 min 5 s`."""
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1_000
    if seconds < 60:
        return f"{seconds:.3g} s" if seconds < 10 else f"{round(seconds, 1):g} s"
    minutes, seconds_left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds_left} s" if seconds_left else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"


def moment(milliseconds: int) -> str:
    """Return a moment of a server's clock, such as `2026-11-22 20:58:01.123 UTC`."""
    if not 0 < milliseconds < _MAX_MS:
        return "unknown"
    return f"{_EPOCH + timedelta(milliseconds=milliseconds):%Y-%m-%d %H:%M:%S}.{milliseconds % 1_000:03d} UTC"
