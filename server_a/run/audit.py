"""The audit at the end of a run: is everything that was acknowledged still there?

A failover may lose writes that had been acknowledged, and nobody is told. So the producer looks once more before it
says that a run is done. Looking at the end was preferred to WAIT after each segment: it also finds what was lost on a
server whose replicas had acknowledged, and costs a healthy run one round trip a thousand segments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from server_a.run.states import PublishedSegment, states_upward
from shared.endpoint.endpoint import Endpoint, microseconds
from shared.endpoint.together import PORTION_KEYS, Together
from shared.errors import SupersededError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.state import SegmentState


@dataclass
class AuditFindings:
    """What an audit has found.

    Attributes:
        segments: Numbers of segments that are missing or not whole.
        signals: Numbers of other segments whose signal is missing.
        is_record_lost: Whether the run's record is missing.
        older: Numbers of segments behind the run's own that still hold values.
        server_us: The server's clock, microseconds since 1970.
    """

    segments: list[int] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)
    is_record_lost: bool = False
    older: list[int] = field(default_factory=list)
    server_us: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing is missing."""
        return not self.segments and not self.signals and not self.is_record_lost


def audit(
    endpoint: Endpoint, keys: Keyspace, record: RunRecord, published: Mapping[int, PublishedSegment]
) -> AuditFindings:
    """Look for every published segment, every signal and the run's record, and for segments that older runs left.

    Raises:
        SupersededError: A newer run, or another producer of this run, has published one of the segments.
        TransientError: The connection was lost; look again.

    Redis:
        HMGET of the record, TIME, HMGET, LLEN and XRANGE for each segment and HMGET of 100 states behind them: one
        round trip for 1,000 segments.
    """
    findings = AuditFindings()
    run_key, signals_key = keys.run(record.run_id), keys.signals()
    numbers = sorted(published)
    for start in range(0, len(numbers), PORTION_KEYS):
        asked = Together(endpoint)
        # a field of the record: the key alone may be there without it, made anew by what was noted after it was lost
        asked.at(run_key).hmget(run_key, ["schema_version"])
        asked.at(signals_key).time()
        for number in numbers[start : start + PORTION_KEYS]:
            key, signal_id = keys.segment(number), published[number].signal_id
            asked.at(key).hmget(keys.state(key), list(SegmentState.FIELDS))
            asked.at(key).llen(key)
            asked.at(signals_key).xrange(signals_key, min=signal_id, max=signal_id)
        record_version, now, *replies = asked.send()
        findings.is_record_lost = record_version == [None]
        findings.server_us = microseconds(now)
        for number, state, length, signals in zip(
            numbers[start : start + PORTION_KEYS], replies[::3], replies[1::3], replies[2::3], strict=True
        ):
            mine = published[number].state
            key = keys.state(keys.segment(number))
            if not _is_as_published(key, SegmentState.decode(key, state), mine) or length != mine.count:
                findings.segments.append(number)
            elif not signals:
                findings.signals.append(number)
    findings.older = [number for number, state in states_upward(endpoint, keys, after=record.segments) if state.count]
    return findings


def _is_as_published(key: str, found: SegmentState | None, mine: SegmentState) -> bool:
    if found is not None and (found.run_id, found.attempt) > (mine.run_id, mine.attempt):
        raise SupersededError(where=key, expected=f"nothing newer than run {mine.run_id}", got=f"run {found.run_id}")
    return found == mine
