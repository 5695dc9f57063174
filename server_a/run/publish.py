"""Publishes a written segment under its name, and announces it with a signal.

EXEC rolls nothing back, so everything that could fail inside the transaction is checked first, under WATCH. A script
was rejected: it would need the same checks, and managed services may refuse scripts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from server_a.run.states import require_not_newer
from shared.endpoint.endpoint import Endpoint, ServerClock
from shared.endpoint.node_client import Command, NodePipeline
from shared.endpoint.optimistic import optimistic_on
from shared.endpoint.our_streams import require_signals
from shared.endpoint.retry import Retry
from shared.endpoint.together import portions
from shared.errors import TransientError, WrongKeyError
from shared.keys import Keyspace
from shared.ownership import NAMESPACE_ADVICE, our_state
from shared.program.telemetry.telling import ProducerTelemetry
from shared.record import RunRecord
from shared.signal import Signal
from shared.state import SegmentState

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


@dataclass(frozen=True)
class Publication:
    """A segment that is completely written; `blocks` are the concatenated raw digests of its blocks."""

    number: int
    segment_key: str
    staging_key: str
    state: SegmentState
    blocks: bytes


def publish(
    endpoint: Endpoint,
    keys: Keyspace,
    publication: Publication,
    *,
    overwrite: bool,
    asked: NodePipeline | None = None,
    on_conflict: Callable[[], object] = lambda: None,
) -> None:
    """Make a complete segment visible under its name, atomically.

    Looks too whether the stream, which is to get its signal next, is still ours: somebody may have deleted it and made
    another since the run began. WATCH on the stream until the signal was rejected: a round trip more a segment. So
    signals on their way by then, of segments published beside this one too, are still added.

    On `asked` the `questions` were sent before, behind the last batch, so that only their replies are to be read.

    Raises:
        WrongKeyError: A key of somebody else's is in the way; nothing was written.
        OutcomeUnknownError: The reply was lost; `is_published` tells whether it happened.
        TransientError: The staging key is incomplete, or the connection was lost before.

    Redis: WATCH, HMGET, EXISTS, LLEN, TYPE, XREVRANGE COUNT 1 in one round trip (the last in one of its own where
    another server has the stream); MULTI UNLINK RENAME PERSIST UNLINK HSET EXEC in another.
    """
    segment_key, staging_key, state = publication.segment_key, publication.staging_key, publication.state
    state_key = keys.state(segment_key)
    fields: dict[Any, Any] = {**state.encode(), "blocks": publication.blocks}
    if not _is_signal_beside(endpoint, keys, segment_key):
        require_signals_still_ours(endpoint, keys, state.run_id)

    def attempt(pipeline: NodePipeline, replies: list[Any]) -> None:
        found, has_state, length, kind, *newest = replies
        _require_newest_signal(endpoint, keys, newest[0] if newest else [], state.run_id)
        now = our_state(state_key, found, exists=bool(has_state))
        require_not_newer(segment_key, now, run_id=state.run_id, attempt=state.attempt)
        if not overwrite and is_foreign(now, kind):
            raise foreign_list_error(segment_key)
        if length != state.count:
            raise TransientError(where=staging_key, expected=f"{state.count} values", got=f"{length}", answered=True)
        pipeline.multi()
        pipeline.unlink(segment_key)
        pipeline.rename(staging_key, segment_key)
        pipeline.persist(segment_key)
        pipeline.unlink(state_key)  # a retired state has a TTL
        pipeline.hset(state_key, mapping=fields)
        _, _, is_kept, *_ = pipeline.execute()
        if not is_kept:  # damaged on its way: the list would be verified, and be gone within the hour
            endpoint.at(segment_key).persist(segment_key)

    watched, look = questions(endpoint, keys, segment_key, staging_key)
    optimistic_on(endpoint.at(segment_key), watched, look, attempt, asked=asked, on_conflict=on_conflict)


def questions(
    endpoint: Endpoint, keys: Keyspace, segment_key: str, staging_key: str
) -> tuple[list[str], list[Command]]:
    """Return what a publication depends on: the keys to watch, and the commands that look at them."""
    state_key = keys.state(segment_key)
    look: list[Command] = [("HMGET", state_key, *SegmentState.FIELDS), ("EXISTS", state_key)]
    look += [("LLEN", staging_key), ("TYPE", segment_key)]
    if _is_signal_beside(endpoint, keys, segment_key):
        look.append(("XREVRANGE", keys.signals(), "+", "-", "COUNT", 1))
    return [staging_key, state_key, segment_key], look


def _is_signal_beside(endpoint: Endpoint, keys: Keyspace, segment_key: str) -> bool:
    """Return whether one server has both the segment and the stream."""
    return endpoint.node_of(keys.signals()) == endpoint.node_of(segment_key)


def require_signals_still_ours(endpoint: Endpoint, keys: Keyspace, run_id: str) -> None:
    """Raise WrongKeyError if the stream has become somebody else's. Redis: XREVRANGE COUNT 1; O(1)."""
    stream = keys.signals()
    newest = cast("list[Any]", endpoint.at(stream).xrevrange(stream, count=1))
    _require_newest_signal(endpoint, keys, newest, run_id)


def _require_newest_signal(endpoint: Endpoint, keys: Keyspace, newest: list[Any], run_id: str) -> None:
    if newest:  # else our first signal makes it ours, or it was lost, which the audit finds out
        require_signals(endpoint, keys, newest, run_id=run_id)


def is_foreign(state: SegmentState | None, kind: bytes) -> bool:
    """Return whether a key of this type (TYPE's reply), with this state beside it, is not one that server-a wrote."""
    return kind != b"none" and not (kind == b"list" and state is not None and state.count > 0)


def foreign_list_error(segment_key: str) -> WrongKeyError:
    """Return the error for a list that server-a did not write."""
    expected, got = "no list, or one that server-a wrote", "a key of somebody else's"
    advice = f"{NAMESPACE_ADVICE}, or --overwrite to replace it"
    return WrongKeyError(where=segment_key, expected=expected, got=got, advice=advice)


def is_published(endpoint: Endpoint, keys: Keyspace, publication: Publication) -> bool:
    """Return whether a publication whose reply was lost has happened; HMGET and LLEN in one round trip."""
    state_key = keys.state(publication.segment_key)
    look = endpoint.at(state_key).pipeline(transaction=False)
    look.hmget(state_key, SegmentState.FIELDS)
    look.llen(publication.segment_key)
    found, length = look.execute()
    return SegmentState.decode(state_key, found) == publication.state and length == publication.state.count


def signal_of(record: RunRecord, number: int, state: SegmentState) -> Signal:
    """Return what the signal of a published segment says."""
    return Signal(state.run_id, state.attempt, number, record.segments, state.count, state.digest)


@dataclass
class Announcer:
    """Sends the signals of a run, and counts the seconds that takes."""

    endpoint: Endpoint
    keys: Keyspace
    record: RunRecord
    retry: Retry
    clock: ServerClock
    log: FilteringBoundLogger
    oldest_ms: int = 0  # signals from before this moment of the server's clock are removed, however long they are kept
    telemetry: ProducerTelemetry = field(default_factory=ProducerTelemetry)
    signal_s: float = field(init=False, default=0.0)

    def require_ours(self) -> None:
        """Raise WrongKeyError if the stream has become somebody else's, before signals are sent without publishing."""
        self.retry.keep_trying(require_signals_still_ours, self.endpoint, self.keys, self.record.run_id)

    def announce(self, states: Mapping[int, SegmentState]) -> dict[int, str]:
        """Send the signals of segments, all again if a reply is lost (B recognizes that); return their stream IDs.

        Redis: XADD with MINID of each, a thousand a round trip, which trims the stream to the retention, or to
        `oldest_ms`; O(1).
        """
        started = time.monotonic()
        ids: dict[int, str] = {}
        with self.telemetry.sending(states) as sends:
            signals = {
                number: replace(signal_of(self.record, number, state), traceparent=sends.traceparent(number))
                for number, state in sorted(states.items())
            }
            for portion in portions(map(str, signals)):
                outages = self.retry.outage_count
                ids |= self.retry.keep_trying(self._send, {int(number): signals[int(number)] for number in portion})
                if self.retry.outage_count > outages:
                    self.log.info("signals sent again", signals=len(portion))
            sends.sent(ids)
        self.signal_s += time.monotonic() - started
        return ids

    def _send(self, signals: Mapping[int, Signal]) -> dict[int, str]:
        # the server's clock, which also gives the entry's ID: a token may be ahead of it by more than the retention
        oldest_ms = max(self.oldest_ms, self.clock.now_ms() - self.record.retain_ms)
        key = self.keys.signals()
        pipeline = self.endpoint.at(key).pipeline(transaction=False)
        for signal in signals.values():
            pipeline.xadd(key, dict(signal.encode()), minid=oldest_ms, approximate=False)  # type: ignore[arg-type]
        return {number: entry_id.decode() for number, entry_id in zip(signals, pipeline.execute(), strict=True)}
