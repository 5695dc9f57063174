"""How an entry ends: with a verdict, a dead letter or both, and its acknowledgement, in one transaction.

All of it lies in the stream's slot, so that no kill and no failover can leave an acknowledged entry without its
verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from server_b.entry import Entry
from server_b.group.dead_letters import LOOK_BACK, MAX_LETTERS, letter_fields
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodePipeline
from shared.endpoint.optimistic import Step, execute_all, optimistic
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP
from shared.verdict import SegmentVerdict


@dataclass(frozen=True)
class Recorded:
    """What recording a verdict did: whether it was written at all, and the fields the result has now."""

    is_written: bool
    fields: int


class EntrySettler:
    """Brings entries to their end, each in one transaction."""

    def __init__(self, endpoint: Endpoint, keys: Keyspace, consumer: str) -> None:
        """Settle entries of the stream in a namespace, under a consumer's name."""
        self._endpoint = endpoint
        self._keys = keys
        self._consumer = consumer
        self._stream = keys.signals()
        self._dead = keys.dead_letters()

    def acknowledge(self, entry: Entry) -> None:
        """Acknowledge an entry whose result is recorded already, or that needs none.

        Redis:
            XACK; O(1).
        """
        self._endpoint.at(self._stream).xack(self._stream, CONSUMER_GROUP, entry.entry_id)

    def dead_letter(self, entry: Entry, reason: str) -> None:
        """Set an entry aside that can't be processed, and acknowledge it.

        Raises:
            WrongKeyError: Somebody else gave the dead letters' key another type.

        Redis:
            WATCH, XREVRANGE COUNT 100, then MULTI XADD XACK EXEC; O(1).
        """

        def attempt(pipeline: NodePipeline) -> None:
            letter = self._letter(pipeline, entry, reason)
            execute_all(client, pipeline, [letter, [self._acknowledgement(entry)]])

        client = self._endpoint.at(self._stream)
        optimistic(client, [self._dead], attempt)

    def record(
        self, entry: Entry, run_id: str, verdict: SegmentVerdict, *, retain_ms: int, dead_reason: str = ""
    ) -> Recorded:
        """Record a verdict, unless one of the same or a later attempt stands, and acknowledge the entry.

        Args:
            entry: What announced the segment.
            run_id: Its run.
            verdict: On the segment.
            retain_ms: How long the run's results are kept.
            dead_reason: Why the entry is a dead letter too; empty when it is none.

        Raises:
            TransientError: The connection is lost; record it again.
            WrongKeyError: Somebody else gave one of the keys another type.

        Redis:
            WATCH, HGET, then MULTI HSET HLEN PEXPIRE XACK EXEC; with a dead letter also XREVRANGE COUNT 100 and XADD.
            O(1).
        """
        key, segment = self._keys.result(run_id), str(verdict.segment)
        client = self._endpoint.at(key)

        def attempt(pipeline: NodePipeline) -> Recorded:
            raw = cast("bytes | None", pipeline.hget(key, segment))
            found = SegmentVerdict.decode(raw) if raw is not None else None
            is_written = found is None or found.attempt < verdict.attempt
            letter = self._letter(pipeline, entry, dead_reason) if dead_reason else []
            result: list[Step] = [lambda pipeline: pipeline.hlen(key)]
            if is_written:
                result.insert(0, lambda pipeline: pipeline.hset(key, segment, verdict.encode()))
                result.append(lambda pipeline: pipeline.pexpire(key, retain_ms))
            replies = execute_all(client, pipeline, [result, letter, [self._acknowledgement(entry)]])
            return Recorded(is_written=is_written, fields=int(replies[1 if is_written else 0]))

        return optimistic(client, [key, self._dead] if dead_reason else [key], attempt)

    def _acknowledgement(self, entry: Entry) -> Step:
        return lambda pipeline: pipeline.xack(self._stream, CONSUMER_GROUP, entry.entry_id)

    def _letter(self, pipeline: NodePipeline, entry: Entry, reason: str) -> list[Step]:
        """Return what adds a dead letter; nothing where the last hundred hold one for this entry already."""
        letters = cast("list[Any]", pipeline.xrevrange(self._dead, count=LOOK_BACK))
        if any(fields and fields.get(b"origin") == entry.entry_id.encode() for _, fields in letters):
            return []
        fields = letter_fields(origin=entry.entry_id, reason=reason, consumer=self._consumer, fields=entry.fields or {})
        return [lambda pipeline: pipeline.xadd(self._dead, fields, maxlen=MAX_LETTERS, approximate=True)]
