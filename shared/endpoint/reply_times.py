"""How long replies took, as percentiles of any number of them in little memory. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

_STEPS_PER_DOUBLING = 32  # each bucket ends 2.2 % above where it begins
PERCENTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


def times_text(reply_ms: Mapping[str, float]) -> str:
    """Return percentiles, as `ReplyTimes.as_json` gives them, as a sentence."""
    p50, p99, longest = (f"{reply_ms[name]:,.1f} ms" for name in ("p50", "p99", "max"))
    return f"A reply took {p50} (median), {p99} (99th percentile), {longest} at most."


@dataclass
class ReplyTimes:
    """Counts times in buckets that grow by 2.2 %; keeping every time was rejected: 100,000,000 values have 100,000."""

    buckets: Counter[int] = field(default_factory=Counter)
    longest_s: float = 0.0

    def add(self, seconds: float) -> None:
        """Count a reply that took so long."""
        self.buckets[math.floor(_STEPS_PER_DOUBLING * math.log2(max(seconds, 1e-6)))] += 1
        self.longest_s = max(self.longest_s, seconds)

    def merge(self, other: ReplyTimes) -> None:
        """Count what another has counted."""
        self.buckets.update(other.buckets)
        self.longest_s = max(self.longest_s, other.longest_s)

    def as_json(self) -> Mapping[str, float] | None:
        """Return `p50`, `p95`, `p99` and `max` in milliseconds, within 2.2 %; None when nothing was counted."""
        total = self.buckets.total()
        if not total:
            return None
        found = {name: self._percentile_s(share * total) for name, share in PERCENTILES.items()} | {
            "max": self.longest_s
        }
        return {name: round(seconds * 1_000, 3) for name, seconds in found.items()}

    def _percentile_s(self, rank: float) -> float:
        counted = 0
        for bucket in sorted(self.buckets):
            counted += self.buckets[bucket]
            if counted >= rank:
                return min(self.longest_s, 2 ** ((bucket + 1) / _STEPS_PER_DOUBLING))
        return self.longest_s
