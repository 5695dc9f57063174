"""States of which one field was damaged on its way: removed, so that their lists are found as those without a state.

Such a state would stand in the way of its run, and of every run to come. It is ours if a signal in the stream says what
its other fields say. Taking it for ours because three fields have our form was rejected: that is no proof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodePipeline
from shared.endpoint.optimistic import optimistic
from shared.endpoint.published import signal_pages
from shared.endpoint.together import ask_each
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.state import SegmentState

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

Fields = list[bytes | None]  # of a state, as HMGET returns them


def remove_damaged_states(endpoint: Endpoint, keys: Keyspace, log: FilteringBoundLogger) -> set[int]:
    """Remove the states that were damaged, of all segments that signals name; return which these are.

    The lists beside them are without a state then, and are to be recognised.

    Redis: TIME; XREVRANGE of the stream, up to 1,000 entries a round trip, twice if a state is no state of ours; HMGET
    of the states; for each damaged one WATCH, HMGET, MULTI UNLINK EXEC.
    """
    server_ms = endpoint.server_us(keys.signals()) // 1_000
    suspects = _suspects(endpoint, keys, server_ms)
    removed: set[int] = set()
    for page in signal_pages(endpoint, keys, server_ms=server_ms) if suspects else ():
        for signal in page:
            for number in [number for number, fields in suspects.items() if _is_of(number, fields, signal)]:
                key, fields = keys.state(keys.segment(number)), suspects.pop(number)
                if _remove(endpoint, key, fields):
                    removed.add(number)
                    log.warning("state damaged, removed", key=key, segment=number)
    return removed


def _suspects(endpoint: Endpoint, keys: Keyspace, server_ms: int) -> dict[int, Fields]:
    """Return what is no state of ours, by segment."""
    seen: set[int] = set()
    found: dict[int, Fields] = {}
    for page in signal_pages(endpoint, keys, server_ms=server_ms):
        names = {keys.state(keys.segment(s.segment)): s.segment for s in page if s.segment not in seen}
        seen.update(names.values())
        for key, fields in ask_each(endpoint, names, lambda pipeline, key: pipeline.hmget(key, SegmentState.FIELDS)):
            try:
                SegmentState.decode(key, fields, server_ms=server_ms)
            except WrongKeyError:
                found[names[key]] = fields
    return found


def _is_of(number: int, fields: Fields, signal: Signal) -> bool:
    """Tell whether a state says, but for one field, what it says when a signal's attempt is published or retires it."""
    attempt = (signal.run_id, signal.attempt)
    said = [SegmentState(*attempt, 0, "")]
    said += [SegmentState(*attempt, signal.count, signal.digest)] if signal.segment == number else []
    return any(_differences(fields, state) == 1 for state in said)


def _differences(fields: Fields, state: SegmentState) -> int:
    expected = [text.encode() for text in state.encode().values()]
    return sum(found != wanted for found, wanted in zip(fields, expected, strict=True))


def _remove(endpoint: Endpoint, key: str, fields: Fields) -> bool:
    def attempt(pipeline: NodePipeline) -> bool:
        if pipeline.hmget(key, SegmentState.FIELDS) != fields:
            return False
        pipeline.multi()
        pipeline.unlink(key)
        pipeline.execute()
        return True

    return optimistic(endpoint.at(key), [key], attempt)
