"""The verdicts of a run as its report needs them: those of a run of 100,000 segments take 250 MB in full.

The first thousand are kept as they are; of the others a report shows no more than why the first of a kind is what it
is, and the run's first values in reverse, which are at its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from shared.verdict import MAX_FIRST, SegmentVerdict

IN_FULL = 1_000
_NOTHING: list[str] = []
_NO_OUTAGES: list[list[int]] = []


@dataclass
class KeptVerdicts:
    """Takes verdicts in the order of their segments.

    Attributes:
        segments: How many one of them says that the run has, at most.
    """

    verdicts: dict[int, SegmentVerdict] = field(default_factory=dict)
    segments: int = 0
    _with_values: list[int] = field(default_factory=list)  # segments whose values are kept, in order
    _same: dict[int, int] = field(default_factory=dict)  # each number once, however many segments say it
    _told: set[str] = field(default_factory=set)  # verdicts of which a reason and a witness is kept

    def add(self, found: Mapping[int, SegmentVerdict]) -> None:
        """Take verdicts on segments behind those that were taken."""
        for number, verdict in sorted(found.items()):
            self.segments = max(self.segments, verdict.segments)
            self.verdicts[number] = verdict if number <= IN_FULL else self._short(verdict)
            if verdict.reason:
                self._told.add(verdict.verdict)
            if verdict.first:
                self._with_values.append(number)
        values = 0
        for place, number in enumerate(reversed(self._with_values), 1):
            values += len(self.verdicts[number].first)
            if values >= MAX_FIRST:
                for other in self._with_values[:-place]:
                    self.verdicts[other] = replace(self.verdicts[other], first=_NOTHING)
                del self._with_values[:-place]
                break

    def _short(self, verdict: SegmentVerdict) -> SegmentVerdict:
        is_told = verdict.verdict in self._told
        return replace(
            verdict,
            segments=self._same.setdefault(verdict.segments, verdict.segments),
            count=self._same.setdefault(verdict.count, verdict.count),
            taken_ms=0,
            reason="" if is_told else verdict.reason,
            witness=None if is_told else verdict.witness,
            first=verdict.first or _NOTHING,
            outages=_NO_OUTAGES,
            consumer="",
            claimed_from="",
        )
