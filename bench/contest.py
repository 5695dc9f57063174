"""Contests: a baseline and a contender that do the same job in turn, and what came of it. Pure but for running them.

The ratio is taken in each round and the median of the rounds is what counts. The ratio of two minima was rejected: it
sets one side's luckiest round against the other's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

Measure = Literal["ratio", "difference_ms", "seconds"]


@dataclass(frozen=True)
class Contest:
    """Two ways of doing one job.

    Attributes:
        job: What is done, such as `write 8,000,000 values`.
        contender: Who does it.
        baseline: Against whom.
        run: Does it once and returns seconds.
        run_baseline: The same for the baseline; called right before `run` in each round.
        target: The most that `measure` should be; None where none was set.
        measure: Contender's time divided by the baseline's, their difference in milliseconds, or its seconds alone.
    """

    job: str
    contender: str
    baseline: str
    run: Callable[[], float]
    run_baseline: Callable[[], float]
    target: float | None = None
    measure: Measure = "ratio"


@dataclass
class Outcome:
    """What the rounds of one contest gave, in seconds."""

    contest: Contest
    contender_s: list[float] = field(default_factory=list)
    baseline_s: list[float] = field(default_factory=list)

    @property
    def measures(self) -> list[float]:
        """Ratio, difference or seconds of each round."""
        if self.contest.measure == "seconds":
            return self.contender_s
        rounds = zip(self.contender_s, self.baseline_s, strict=True)
        if self.contest.measure == "ratio":
            return [contender / baseline for contender, baseline in rounds]
        return [(contender - baseline) * 1_000 for contender, baseline in rounds]

    @property
    def middle(self) -> float:
        """The median of the rounds."""
        return median(self.measures)

    @property
    def middle_baseline_s(self) -> float:
        """The median of the baseline's seconds."""
        return median(self.baseline_s)

    @property
    def is_met(self) -> bool | None:
        """Whether the median is within the target; None where there is no target."""
        return None if self.contest.target is None else self.middle <= self.contest.target

    def as_json(self) -> dict[str, object]:
        """Return it as one JSON object's fields."""
        measures = self.measures
        return {
            "job": self.contest.job,
            "contender": self.contest.contender,
            "baseline": self.contest.baseline,
            "measure": self.contest.measure,
            "median": round(self.middle, 3),
            "min": round(min(measures), 3),
            "max": round(max(measures), 3),
            "target": self.contest.target,
            "is_met": self.is_met,
            "contender_s": [round(seconds, 4) for seconds in self.contender_s],
            "baseline_s": [round(seconds, 4) for seconds in self.baseline_s],
        }


def hold(contests: Sequence[Contest], *, rounds: int, on_round: Callable[[int], None]) -> list[Outcome]:
    """Run all contests in order, round after round, so that a slow minute of the machine falls on all of them.

    Args:
        contests: A contest may use what the one before it left on the server.
        rounds: Rounds that count; one before them warms caches and the server's memory, and does not.
        on_round: Called with the number of each round before it begins, 0 for the warm-up.
    """
    outcomes = [Outcome(contest) for contest in contests]
    for number in range(rounds + 1):
        on_round(number)
        for outcome in outcomes:
            baseline_s, contender_s = outcome.contest.run_baseline(), outcome.contest.run()
            if number > 0:
                outcome.baseline_s.append(baseline_s)
                outcome.contender_s.append(contender_s)
    return outcomes
