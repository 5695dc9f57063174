"""The table that `python -m bench` prints. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.contest import Measure, Outcome

_HEADINGS = ("job", "who", "median", "min", "max")
_FORMS: dict[Measure, str] = {"ratio": "{:.2f}x", "difference_ms": "{:+.0f} ms", "seconds": "{:.2f} s"}
_TARGET_FORMS: dict[Measure, str] = {**_FORMS, "difference_ms": "{:.0f} ms"}


def table(outcomes_by_place: Mapping[str, Sequence[Outcome]], *, baseline: str = "raw") -> str:
    """Return a table of outcomes, a block a place: multiples of the baseline, and its median time.

    Args:
        outcomes_by_place: The outcomes.
        baseline: The heading over the time of the baselines.
    """
    headings = (*_HEADINGS, baseline, "target")
    rows = {place: [_row(outcome) for outcome in outcomes] for place, outcomes in outcomes_by_place.items()}
    everything = [headings, *(row for block in rows.values() for row in block)]
    widths = [max(len(row[column]) for row in everything) for column in range(len(headings))]
    lines = []
    for place, block in rows.items():
        lines += [place, *(_line(row, widths) for row in (headings, *block)), ""]
    return "\n".join(lines)


def _row(outcome: Outcome) -> tuple[str, ...]:
    contest, measures = outcome.contest, outcome.measures
    numbers = [_FORMS[contest.measure].format(number) for number in (outcome.middle, min(measures), max(measures))]
    baseline = "" if contest.measure == "seconds" else _time(outcome.middle_baseline_s)
    return (contest.job, contest.contender, *numbers, baseline, _judgement(outcome))


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1_000:.0f} ms"


def _judgement(outcome: Outcome) -> str:
    contest = outcome.contest
    if contest.target is None:
        return "none set"
    target = _TARGET_FORMS[contest.measure].format(contest.target)
    return f"{target}: {'met' if outcome.is_met else 'MISSED'}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Return one line; texts to the left, numbers to the right."""
    texts = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
    numbers = [cell.rjust(width) for cell, width in zip(row[2:6], widths[2:6], strict=True)]
    return "  " + "  ".join([*texts, *numbers, row[6]])
