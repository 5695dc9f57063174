"""The axis of time, from the beginning of a run to its end or to now, with four to eight ticks. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from shared.page.words import duration

WIDTH = 1_000  # units of the drawing, which is stretched to whatever width there is
_SECOND, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000
_STEPS_MS = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 500),
    *(n * _SECOND for n in (1, 2, 5, 10, 20, 30)),
    *(n * _MINUTE for n in (1, 2, 5, 10, 20, 30)),
    *(n * _HOUR for n in (1, 2, 6, 12)),
    *(n * _DAY for n in (1, 2, 5, 10, 30, 100, 1_000, 10_000, 100_000, 1_000_000)),
)
_MOST_TICKS = 5


@dataclass(frozen=True)
class Tick:
    """A mark on the axis."""

    percent: float
    label: str
    is_last: bool  # whether its label would leave the drawing on the right


@dataclass(frozen=True)
class Axis:
    """From and to in milliseconds of the server's clock."""

    from_ms: int
    to_ms: int

    @property
    def length_ms(self) -> int:
        """At least a millisecond."""
        return max(1, self.to_ms - self.from_ms)

    def x(self, at_ms: int) -> float:
        """Return where a moment is drawn, from 0 to 1,000."""
        return round(min(max(0.0, (at_ms - self.from_ms) * WIDTH / self.length_ms), WIDTH), 1)

    def percent(self, at_ms: int) -> float:
        """Return the same as a percentage."""
        return round(self.x(at_ms) / 10, 2)

    def ticks(self) -> list[Tick]:
        """Return the marks, the first at the beginning."""
        step_ms = next((step for step in _STEPS_MS if self.length_ms / step <= _MOST_TICKS), _STEPS_MS[-1])
        moments = range(0, self.length_ms + 1, step_ms)
        return [
            Tick(round(at / self.length_ms * 100, 2), f"+{duration(at)}" if at else "0", at / self.length_ms > 0.94)
            for at in moments
        ]
