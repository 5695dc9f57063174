"""The table that `python -m bench.failover` prints: a row for each form and number of replicas. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bench.failover.forms import FORMS
from bench.failover.trial import Seen

_HEADINGS = (
    "form", "replica", "--min-replicas", "replaced after", "outage seen by A", "by B", "acknowledged values lost",
    "segments written again", "attempts lost", "verdicts",
)  # fmt: skip


CUT_OFF = "cut off"
REPLICAS = ("in step", CUT_OFF)


class Cell(NamedTuple):
    """What is tried in one row."""

    form: str
    replica: str
    min_replicas: int


def failover_table(seen_by_cell: Mapping[Cell, Sequence[Seen]]) -> str:
    """Return a table in Markdown, so that docs/failover.md can show it as it is."""
    rows = [_row(cell, seen) for cell, seen in seen_by_cell.items()]
    lines = [_HEADINGS, ("---",) * len(_HEADINGS), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _row(cell: Cell, seen: Sequence[Seen]) -> tuple[str, ...]:
    verdicts = sorted({one.verdict for one in seen})
    return (
        f"{cell.form}: {FORMS[cell.form].what}",
        cell.replica,
        str(cell.min_replicas),
        _seconds(seen, lambda one: one.replaced_s),
        _seconds(seen, lambda one: one.a_outage_s),
        _seconds(seen, lambda one: one.b_outage_s),
        _numbers(seen, lambda one: one.lost_acknowledged),
        _numbers(seen, lambda one: one.segments_rewritten),
        _numbers(seen, lambda one: one.attempts_lost),
        ", ".join(f"{sum(one.verdict == verdict for one in seen)} {verdict}" for verdict in verdicts),
    )


def _seconds(seen: Sequence[Seen], figure: Callable[[Seen], float]) -> str:
    return " / ".join(f"{figure(one):.1f}" for one in seen) + " s"


def _numbers(seen: Sequence[Seen], figure: Callable[[Seen], int]) -> str:
    return " / ".join(f"{figure(one):,}" for one in seen)
