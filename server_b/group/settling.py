"""How entries end: with a verdict, a dead letter or both, and their acknowledgement, in one transaction.

All of these keys are in the stream's slot, so no kill and no failover leaves an acknowledged entry without its verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, NamedTuple, cast

from server_b.group.dead_letters import MAX_LETTERS, letter_fields, replaced_letters
from server_b.group.delivery import Delivery
from server_b.group.entry import Entry
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import Command, NodePipeline
from shared.endpoint.optimistic import Step, execute_all, optimistic, optimistic_on
from shared.endpoint.our_streams import entries_at_ends
from shared.endpoint.published import LOOK_BACK
from shared.endpoint.stream_pages import PageSize, stream_pages
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.ownership import is_letter, require_our_letters, require_our_result
from shared.signal import CONSUMER_GROUP, Signal
from shared.verdict import FAILED, SegmentVerdict


class Recorded(NamedTuple):
    """What recording a verdict did: whether it stands now, how many fields the result has, and what it replaced."""

    is_standing: bool
    fields: int
    replaced: str = ""  # the verdict that stood there before


@dataclass
class EntrySettler:
    """Brings entries to their end."""

    endpoint: Endpoint
    keys: Keyspace
    consumer: str
    # kept from one letter to the next, so that small ones take one round trip
    _page: PageSize = field(init=False, default_factory=lambda: PageSize(LOOK_BACK))

    def acknowledge(self, entry: Entry) -> None:
        """Acknowledge an entry that needs no verdict of ours. Redis: XACK; O(1)."""
        stream = self.keys.signals()
        self.endpoint.at(stream).xack(stream, CONSUMER_GROUP, entry.entry_id)

    def dead_letter(self, entry: Entry, reason: str) -> None:
        """Make a dead letter of an entry, and acknowledge it. Redis: WATCH, XREVRANGE, MULTI XADD XACK EXEC."""

        def attempt(pipeline: NodePipeline) -> None:
            letter = self._letter(pipeline, entry, reason)
            execute_all(client, pipeline, [letter, [self._acknowledgement(entry)]])

        client = self.endpoint.at(self.keys.signals())
        optimistic(client, [self.keys.dead_letters()], attempt)

    def record(
        self,
        delivery: Delivery,
        verdict: SegmentVerdict,
        *,
        retain_ms: int,
        dead_reason: str = "",
        on_conflict: Callable[[], object] = lambda: None,
        asked: NodePipeline | None = None,
    ) -> Recorded:
        """Record a verdict, unless one is recorded that it does not replace, and acknowledge the entry.

        With a `dead_reason` the entry becomes a dead letter too. The run's results are kept for `retain_ms` from now.
        `on_conflict` is called before the transaction is repeated because its keys had changed. On `asked` the
        questions were sent before; see `ask`.
        Where a failed one is replaced, as after a repair, the dead letters about its list are dropped.

        Raises WrongKeyError if the result or the dead letters are somebody else's; nothing is written then.

        Redis: WATCH, HGET and HSCAN of some field together, then MULTI HSET HLEN PEXPIRE XACK EXEC; for a dead letter
        XREVRANGE, XADD too; where a failed one is replaced XRANGE of all dead letters, and XDEL.
        """
        entry, announced = delivery.entry, delivery.look
        key, segment = self.keys.result(delivery.signal.run_id), str(verdict.segment)
        client = self.endpoint.at(key)

        def attempt(pipeline: NodePipeline, replies: list[Any]) -> Recorded:
            raw, (_, some) = replies
            found = SegmentVerdict.decode(raw) if raw is not None else None
            if found is None:
                require_our_result(key, some)
            is_written = found is None or verdict.replaces(found, announced.state, announced.record)
            letter = self._letter(pipeline, entry, dead_reason) if dead_reason else []
            result: list[Step] = [lambda pipeline: pipeline.hlen(key)]
            if is_written:
                result.insert(0, lambda pipeline: pipeline.hset(key, segment, verdict.encode()))
                result.append(lambda pipeline: pipeline.pexpire(key, retain_ms))
            is_repaired = found is not None and found.verdict == FAILED and found.attempt < verdict.attempt
            dropped = self._dropping(pipeline, delivery.signal.run_id, verdict) if is_repaired else []
            done = execute_all(client, pipeline, [result, letter, dropped, [self._acknowledgement(entry)]])
            # equal to ours: we wrote it, and the reply was lost
            replaced = found.verdict if is_written and found is not None else ""
            return Recorded(is_written or found == verdict, int(done[1 if is_written else 0]), replaced)

        watched, look = self._questions(delivery.signal)
        if dead_reason:
            watched.append(self.keys.dead_letters())
        return optimistic_on(client, watched, look, attempt, asked=asked, on_conflict=on_conflict)

    def ask(self, signal: Signal) -> NodePipeline:
        """Send what `record` asks before it records a verdict on this signal's segment, without waiting.

        Redis: WATCH, HGET, HSCAN of some field.
        """
        pipeline = self.endpoint.at(self.keys.result(signal.run_id)).pipeline()
        try:
            pipeline.send_questions(*self._questions(signal))
        except BaseException:
            pipeline.close()
            raise
        return pipeline

    def _questions(self, signal: Signal) -> tuple[list[str], list[Command]]:
        key = self.keys.result(signal.run_id)
        return [key], [("HGET", key, str(signal.segment)), ("HSCAN", key, "0", "COUNT", "2")]

    def _acknowledgement(self, entry: Entry) -> Step:
        return lambda pipeline: pipeline.xack(self.keys.signals(), CONSUMER_GROUP, entry.entry_id)

    def _dropping(self, pipeline: NodePipeline, run_id: str, verdict: SegmentVerdict) -> list[Step]:
        """Return what drops the dead letters that a verdict replaces; nothing where the stream is not ours."""
        dead = self.keys.dead_letters()
        with suppress(WrongKeyError):
            if ids := replaced_letters(pipeline, dead, run_id, verdict):
                return [lambda pipeline: pipeline.xdel(dead, *ids)]
        return []

    def _letter(self, pipeline: NodePipeline, entry: Entry, reason: str) -> list[Step]:
        """Return what adds a dead letter; nothing where the last hundred hold one for this entry already.

        Raises WrongKeyError if the stream has become somebody else's since we joined the group.
        """
        dead, origin = self.keys.dead_letters(), entry.entry_id.encode()
        newest = [(is_letter(fields), fields.get(b"origin")) for fields in self._newest_letters(pipeline)]
        if not any(is_ours for is_ours, _ in newest):
            require_our_letters(dead, entries_at_ends(pipeline, dead) if newest else [])
        if any(found == origin for _, found in newest):
            return []
        fields = letter_fields(origin=entry.entry_id, reason=reason, consumer=self.consumer, fields=entry.fields or {})
        return [lambda pipeline: pipeline.xadd(dead, fields, maxlen=MAX_LETTERS, approximate=True)]

    def _newest_letters(self, pipeline: NodePipeline) -> Iterator[dict[bytes, bytes]]:
        """Yield the fields of the last hundred letters, the newest first; of large ones no more than one is held."""
        dead, size = self.keys.dead_letters(), self._page

        def read(end: str) -> list[Any]:
            return cast("list[Any]", pipeline.xrevrange(dead, max=end, count=size.count))

        entries = chain.from_iterable(stream_pages(read, start="+", count=size, where=dead))
        yield from (fields or {} for _, fields in islice(entries, LOOK_BACK))
