"""The audit at the end of a run: is everything that was acknowledged still there?

A failover may lose writes that had been acknowledged, and nobody is told. So the producer looks once more before it
says that a run is done. Looking at the end was preferred to WAIT after each segment: it also finds what was lost on a
server whose replicas had acknowledged, and costs a healthy run one round trip a thousand segments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.endpoint.client import Endpoint
from shared.endpoint.pipelined import Command, run_pipelined
from shared.errors import SupersededError
from shared.keys import Keyspace
from shared.run_signal import RunRecord, SegmentState


@dataclass
class PublishedSegment:
    """What a run knows of a segment it has published; the signal's stream id is empty until it is sent."""

    state: SegmentState
    signal_id: str = ""


@dataclass(frozen=True)
class AuditFindings:
    """What is missing: segments by number, signals by their segment's number, and whether the run's record is."""

    segments: list[int]
    signals: list[int]
    is_record_lost: bool

    @property
    def is_clean(self) -> bool:
        """Whether nothing is missing."""
        return not self.segments and not self.signals and not self.is_record_lost


def audit(
    endpoint: Endpoint, keys: Keyspace, record: RunRecord, published: Mapping[int, PublishedSegment]
) -> AuditFindings:
    """Look for every published segment, every signal and the run's record.

    Raises:
        SupersededError: A newer run, or another producer of this run, has published one of the segments.
        ConnectionLostError: The connection was lost; look again.

    Redis:
        HMGET, LLEN and XRANGE for each segment and one HMGET of the record, pipelined.
    """
    numbers = {keys.segment(number): number for number in published}
    state_keys = {keys.state(key): number for key, number in numbers.items()}
    signals_of = {segment.signal_id: number for number, segment in published.items()}
    run_key, signals_key = keys.run(record.run_id), keys.signals()
    # a field of the record: the key alone may be there without it, made anew by what was noted after it was lost
    commands: list[Command] = [("HMGET", run_key, "schema_version")]
    for state_key, number in state_keys.items():
        commands.append(("HMGET", state_key, *SegmentState.FIELDS))
        commands.append(("LLEN", keys.segment(number)))
        commands.append(("XRANGE", signals_key, published[number].signal_id, published[number].signal_id))
    lost: set[int] = set()
    lost_signals: list[int] = []
    is_record_lost = False
    for command, reply in run_pipelined(endpoint, commands):
        key = str(command[1])
        if key == run_key:
            is_record_lost = reply == [None]
        elif command[0] == "XRANGE":
            lost_signals += [] if reply else [signals_of[str(command[2])]]
        elif command[0] == "LLEN":
            number = numbers[key]
            if reply != published[number].state.count:
                lost.add(number)
        elif not _is_as_published(key, SegmentState.decode(key, reply), published[state_keys[key]].state):
            lost.add(state_keys[key])
    return AuditFindings(sorted(lost), sorted(set(lost_signals) - lost), is_record_lost)


def _is_as_published(key: str, found: SegmentState | None, mine: SegmentState) -> bool:
    if found is not None and (found.run_id, found.attempt) > (mine.run_id, mine.attempt):
        raise SupersededError(where=key, expected=f"nothing newer than run {mine.run_id}", got=f"run {found.run_id}")
    return found == mine
