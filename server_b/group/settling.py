"""How entries end: with a verdict, a dead letter or both, and their acknowledgement, in one transaction.

All of these keys are in the stream's slot, so no kill and no failover leaves an acknowledged entry without its verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from server_b.group.dead_letters import MAX_LETTERS, letter_fields, replaced_letters
from server_b.group.delivery import Delivery
from server_b.group.entries import EntrySource
from server_b.group.entry import Entry
from server_b.group.trimmed import tell_trimmed
from server_b.lease import Lease
from server_b.segment.examiner import NEVER_ARRIVED
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import Command, NodePipeline
from shared.endpoint.optimistic import Step, execute_all, optimistic, optimistic_on
from shared.endpoint.our_streams import entries_at_ends
from shared.endpoint.published import LOOK_BACK
from shared.endpoint.retry import Retry
from shared.endpoint.stream_pages import PageSize, stream_pages
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.ownership import is_letter, require_our_letters, require_our_result
from shared.program.telemetry.telling import ConsumerTelemetry
from shared.signal import CONSUMER_GROUP, Signal
from shared.text import shortened
from shared.verdict import DEFAULT_RETAIN_MS, FAILED, MAX_OUTAGES, VERIFIED, SegmentVerdict

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


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
    ) -> Recorded:
        """Record a verdict, unless one is recorded that it does not replace, and acknowledge the entry.

        With a `dead_reason` the entry becomes a dead letter too. The run's results are kept for `retain_ms` from now.
        `on_conflict` is called before the transaction is repeated because its keys had changed.
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

        watched = [key, self.keys.dead_letters()] if dead_reason else [key]
        look: Sequence[Command] = [("HGET", key, segment), ("HSCAN", key, "0", "COUNT", "2")]
        return optimistic_on(client, watched, look, attempt, on_conflict=on_conflict)

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


@dataclass
class EntryEndings:
    """Settles entries, again after each fault, and tells source, lease and log."""

    settler: EntrySettler
    source: EntrySource
    lease: Lease
    retry: Retry
    log: FilteringBoundLogger
    telemetry: ConsumerTelemetry = field(default_factory=ConsumerTelemetry)
    _outages_told: int = field(init=False, default=0)
    recorded: tuple[str, int] = field(init=False, default=("", 0))  # the last run, and how many verdicts it has

    def record(self, delivery: Delivery, verdict: SegmentVerdict, *, dead_reason: str = "") -> bool:
        """Record a verdict with its entry's acknowledgement; return whether it stands and completes the run."""
        entry, signal, record = delivery.entry, delivery.signal, delivery.look.record
        if dead_reason:
            self.log.warning("dead letter", entry_id=entry.entry_id, reason=dead_reason)
        self.retry.succeeded()  # ends an outage that began before the look, so that this verdict names it
        outages = self._outages_of(delivery)
        verdict = replace(
            verdict, deliveries=delivery.number, claimed_from=shortened(entry.claimed_from), outages=outages
        )
        retain_ms = record.retain_ms if record else DEFAULT_RETAIN_MS
        about = {"run_id": signal.run_id, "segment": verdict.segment}
        with self.telemetry.settle(verdict.verdict):
            recorded = self.retry.keep_trying(
                self.settler.record, delivery, verdict, retain_ms=retain_ms, dead_reason=dead_reason,
                on_conflict=lambda: self.log.info("verdict recorded anew, others had changed the result", **about),
            )  # fmt: skip
        if recorded.is_standing:
            self.telemetry.examined(verdict)
        if dead_reason:
            self.telemetry.dead_letter()
        if recorded.replaced:
            self.log.info("verdict replaced", **about, was=recorded.replaced)
        elif not recorded.is_standing:
            self.log.debug("verdict stands already", **about)
        self.recorded = (signal.run_id, recorded.fields)
        self._finish(entry, is_progress=dead_reason != NEVER_ARRIVED)
        tell = self.log.debug if verdict.verdict == VERIFIED else self.log.warning
        told = ("segment", "segments", "verdict", "reason")
        tell("segment examined", run_id=signal.run_id, **{name: getattr(verdict, name) for name in told})
        is_complete = recorded.is_standing and recorded.fields >= signal.segments
        if is_complete and self.retry.outages and self.retry.outages[-1].ended_s >= entry.taken_s:
            # the run is looked at once more before it is reported: at the servers that hold its lists now
            self.retry.keep_trying(self.settler.endpoint.refresh)
        return is_complete

    def is_last(self, signal: Signal) -> bool:
        """Return whether the verdict on this segment completes its run, as far as we know."""
        run_id, recorded = self.recorded
        return (recorded if run_id == signal.run_id else 0) + 1 >= signal.segments

    def dead_letter(self, entry: Entry, reason: str) -> None:
        """Make a dead letter of an entry without a verdict."""
        self.log.warning("dead letter", entry_id=entry.entry_id, reason=reason)
        with self.telemetry.settle("dead_letter"):
            self.retry.keep_trying(self.settler.dead_letter, entry, reason)
        self.telemetry.dead_letter()
        self._finish(entry)

    def let_go_trimmed(self, entry: Entry) -> None:
        """Acknowledge an entry whose content is not there any more."""
        tell_trimmed(self.log, entries=1, entry_id=entry.entry_id)
        self.acknowledge(entry)

    def acknowledge(self, entry: Entry) -> None:
        """Acknowledge an entry; see `EntrySettler.acknowledge`."""
        with self.telemetry.settle("acknowledged"):
            self.settler.acknowledge(entry)
        self._finish(entry)

    def _finish(self, entry: Entry, *, is_progress: bool = True) -> None:
        self.source.forget(entry)
        if is_progress:  # else a run whose lists never come would start `--wait-s` anew with each of them
            self.lease.made_progress()

    def _outages_of(self, delivery: Delivery) -> list[list[int]]:
        """Return the outages while we had an entry, in the server's time, each in one verdict only."""
        untold = self.retry.outages[self._outages_told :]
        self._outages_told += len(untold)
        outages = [outage for outage in untold if outage.ended_s >= delivery.entry.taken_s]
        ms_at = delivery.clock.ms_at
        return [[ms_at(outage.began_s), ms_at(outage.ended_s)] for outage in outages[-MAX_OUTAGES:]]
