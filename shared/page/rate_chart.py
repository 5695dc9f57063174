"""The chart of values a second: written above the line, read below it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.page.axis import WIDTH, Axis, Tick
from shared.page.facts import RunFacts

MIDDLE = 60
_HEIGHT = 40


@dataclass(frozen=True)
class RateChart:
    """Two shapes on one scale."""

    written: str
    read: str
    most_written_per_s: float
    most_read_per_s: float
    ticks: list[Tick]


def rate_chart(run: RunFacts) -> RateChart:
    """Return the chart of a run."""
    rates, axis = run.rates, Axis(run.began_ms, run.ended_ms)
    most = max(*rates.written, *rates.read, 1)
    per_s = 1_000 / rates.step_ms
    width = rates.step_ms * WIDTH / axis.length_ms
    return RateChart(
        _outline(rates.written, width, -_HEIGHT / most),
        _outline(rates.read, width, _HEIGHT / most),
        max(rates.written, default=0) * per_s,
        max(rates.read, default=0) * per_s,
        axis.ticks(),
    )


def _outline(values: Sequence[int], width: float, scale: float) -> str:
    """Return the outline of steps, closed along the middle line; neighbours of one height are one step."""
    if not any(values):
        return ""
    parts = [f"M0 {MIDDLE}"]
    for step, value in enumerate(values):
        if step == 0 or value != values[step - 1]:
            parts.append(f"V{MIDDLE + value * scale:.1f}")
        if step == len(values) - 1 or value != values[step + 1]:
            parts.append(f"H{min(WIDTH, (step + 1) * width):.1f}")
    return "".join([*parts, f"V{MIDDLE}z"])
