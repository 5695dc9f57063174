"""The verdicts on the run that is explained, read by portions: a run may have 100,000, and a result be a stranger's.

Of segments that failed, those beyond a thousand are counted: nobody reads more, and each list takes a look of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from server_b.segment.look import read_record
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.recorded import all_verdicts
from shared.endpoint.together import PORTION_KEYS
from shared.errors import InvalidInputError
from shared.keys import Keyspace
from shared.program.verdict_file import LocalVerdicts
from shared.segments import MAX_SEGMENTS
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict

UNFINISHED = "unfinished"
MAX_EXPLAINED = 1_000


@dataclass
class FoundVerdicts:
    """The verdicts on a run as far as they are explained: the lowest thousand segments that failed."""

    number: int = 0
    kinds: set[str] = field(default_factory=set)
    sizes: set[int] = field(default_factory=set)  # how many segments the run has, as each of them says
    failed: dict[int, SegmentVerdict] = field(default_factory=dict)
    left_out: tuple[int, int] | None = None  # the first segment that failed beyond these, and how many there are

    def add(self, found: Mapping[int, SegmentVerdict]) -> None:
        """Take verdicts on segments behind those that were taken."""
        for number, verdict in sorted(found.items()):
            self.number += 1
            self.kinds.add(verdict.verdict)
            self.sizes.add(verdict.segments)
            if verdict.verdict == FAILED and len(self.failed) < MAX_EXPLAINED:
                self.failed[number] = verdict
            elif verdict.verdict == FAILED:
                first, others = self.left_out or (number, 0)
                self.left_out = first, others + 1

    @property
    def verdict(self) -> str:
        """The run's."""
        if self.failed:
            return FAILED
        if self.sizes != {self.number}:
            return UNFINISHED
        return SUPERSEDED if SUPERSEDED in self.kinds else VERIFIED


def read_verdicts(
    endpoint: Endpoint,
    keys: Keyspace,
    run_id: str,
    local: LocalVerdicts,
    passed: Callable[[int], None] = lambda _: None,
) -> FoundVerdicts:
    """Return a run's verdicts, those of a follower on this host among them; InvalidInputError if there are none.

    `passed` is called with numbers of segments whose verdicts were read.

    Redis: HMGET of the record; HLEN of the result and HMGET of 1,000 of its fields a round trip.
    """
    record, ours = read_record(endpoint, keys, run_id), local.get(run_id, {})
    segments = record.segments if record is not None else max((each.segments for each in ours.values()), default=0)
    verdicts, recorded = FoundVerdicts(), all_verdicts(endpoint, keys, run_id, segments=segments)
    for first in range(1, MAX_SEGMENTS + 1, PORTION_KEYS):
        found = next(recorded, None)
        if found is None and first > max(ours, default=0):
            break
        known = dict(found or {})
        for number in range(first, first + PORTION_KEYS) if ours else ():
            if number in ours and (number not in known or known[number].attempt < ours[number].attempt):
                known[number] = ours[number]
        verdicts.add(known)
        passed(len(known))
    if not verdicts.number:
        expected, advice = "a run that server-b has verdicts on", "see server-b status"
        raise InvalidInputError(where=f"run {run_id}", expected=expected, got="none here", advice=advice)
    return verdicts
