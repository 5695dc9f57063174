"""The audit at the end of a run: is everything that was acknowledged still there?

A failover may lose acknowledged writes without telling anybody, so the producer looks before it reports a run as done.
An audit was preferred to WAIT after each segment: it also finds what was lost although replicas had acknowledged it,
and costs a run without faults one round trip for each 1,000 segments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from server_a.run.claims import misleads
from server_a.run.publish import signal_of
from server_a.run.states import PublishedSegment, require_not_newer, states_upward
from shared.endpoint.endpoint import Endpoint, microseconds
from shared.endpoint.published import signals_in
from shared.endpoint.together import PORTION_KEYS, Together
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.signal import Signal
from shared.state import SegmentState


@dataclass
class AuditFindings:
    """What an audit has found; segments are given by number."""

    segments: list[int] = field(default_factory=list)  # missing or incomplete
    signals: list[int] = field(default_factory=list)  # segments whose signal is missing, or says something else
    misled: list[int] = field(default_factory=list)  # segments that such a signal keeps from a verdict, see `misleads`
    newest: str = ""  # the newest attempt that such a signal names
    older: list[int] = field(default_factory=list)  # beyond the run's last one, and still with values
    is_record_lost: bool = False
    server_us: int = 0  # the server's clock, microseconds since 1970

    @property
    def is_clean(self) -> bool:
        """Whether nothing is missing, and no signal says something else than what is published."""
        return not self.segments and not self.signals and not self.is_record_lost

    def judge_signal(
        self, record: RunRecord, published: Mapping[int, PublishedSegment], number: int, found: Signal | None
    ) -> None:
        """Note what is wrong with the signal that was found where a segment's should be."""
        if found == signal_of(record, number, published[number].state):
            return
        self.signals.append(number)
        if found is None or found.run_id != record.run_id or found.segment not in published:
            return
        if misleads(found, signal_of(record, found.segment, published[found.segment].state)):
            self.misled.append(found.segment)
            self.newest = max(self.newest, found.attempt)


def audit(
    endpoint: Endpoint, keys: Keyspace, record: RunRecord, published: Mapping[int, PublishedSegment]
) -> AuditFindings:
    """Look for every published segment, what every signal says, the run's record, and segments that older runs left.

    Raises SupersededError if a newer run, or another producer of this run, has published one of the segments.

    Redis: HMGET, TIME, and HMGET, LLEN and XRANGE for each segment, 1,000 a round trip; HMGET of 100 states beyond.
    """
    findings = AuditFindings()
    run_key, signals_key = keys.run(record.run_id), keys.signals()
    numbers = sorted(published)
    for start in range(0, len(numbers), PORTION_KEYS):
        portion = numbers[start : start + PORTION_KEYS]
        asked = Together(endpoint)
        # a field of the record, because a note that was written after a failover may have created the key anew
        asked.at(run_key).hmget(run_key, ["schema_version"])
        asked.at(signals_key).time()
        for number in portion:
            key, signal_id = keys.segment(number), published[number].signal_id
            asked.at(key).hmget(keys.state(key), SegmentState.FIELDS)
            asked.at(key).llen(key)
            asked.at(signals_key).xrange(signals_key, min=signal_id, max=signal_id)
        record_version, now, *replies = asked.send()
        findings.is_record_lost = record_version == [None]
        findings.server_us, server_ms = microseconds(now), microseconds(now) // 1_000
        for number, fields, length, signals in zip(portion, replies[::3], replies[1::3], replies[2::3], strict=True):
            mine, state_key = published[number].state, keys.state(keys.segment(number))
            found = SegmentState.decode(state_key, fields, server_ms=server_ms)
            require_not_newer(state_key, found, run_id=mine.run_id, attempt=mine.attempt)
            if found != mine or length != mine.count:
                findings.segments.append(number)
            findings.judge_signal(record, published, number, next(signals_in(signals), None))
    findings.older = [number for number, state in states_upward(endpoint, keys, after=record.segments) if state.count]
    return findings
