"""Values written and read a second, in steps along the time line. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from shared.page.facts import Rates

MAX_STEPS = 120
LEAST_STEP_MS = 20  # the samples of what was written are no closer

Amount = tuple[int, int, int]
"""From and to in milliseconds, and the values written or read in that time."""


def rates_of(began_ms: int, ended_ms: int, written: Iterable[Amount], read: Iterable[Amount]) -> Rates:
    """Return the values of each step; what took longer than a step is spread over the time that it took."""
    length_ms = max(1, ended_ms - began_ms)
    step_ms = max(LEAST_STEP_MS, -(-length_ms // MAX_STEPS))
    steps = -(-length_ms // step_ms)
    return Rates(step_ms, *(_spread(amounts, began_ms, step_ms, steps) for amounts in (written, read)))


def written_amounts(samples: Sequence[tuple[int, int]]) -> list[Amount]:
    """Return what was written between the samples of a run's record; what was lost and written again counts twice."""
    found = []
    for (before_ms, before), (after_ms, after) in pairwise(samples):
        if after > before:
            found.append((min(before_ms, after_ms), after_ms, after - before))
    if samples and samples[0][1]:
        found.insert(0, (samples[0][0], samples[0][0], samples[0][1]))
    return found


def _spread(amounts: Iterable[Amount], began_ms: int, step_ms: int, steps: int) -> tuple[int, ...]:
    found, changes = [0.0] * steps, [0.0] * (steps + 1)  # values of single steps; of all steps from this one on
    for from_ms, to_ms, values in amounts:
        first, last = (min(max(0, (at - began_ms) // step_ms), steps - 1) for at in (from_ms, to_ms))
        length_ms = to_ms - from_ms
        if first == last or not length_ms:
            found[last] += values
            continue
        per_ms = values / length_ms
        found[first] += per_ms * max(0, min(to_ms, began_ms + (first + 1) * step_ms) - max(from_ms, began_ms))
        found[last] += per_ms * max(0, min(to_ms, began_ms + (last + 1) * step_ms) - (began_ms + last * step_ms))
        changes[first + 1] += per_ms * step_ms
        changes[last] -= per_ms * step_ms
    return tuple(round(single + common) for single, common in zip(found, accumulate(changes), strict=False))
