"""A new run: its values, and its record after a look at what it would replace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from server_a.run.lost_states import LostStates
from server_a.run.publish import foreign_list_error, is_foreign
from server_a.run.room import Found
from server_a.run.settings import DAY_MS, RunSettings
from server_a.run.states import PROBE_ABSENT, states_upward
from server_a.run.values import NumberSource, ValueSource
from shared.check.memory import ask_memory, taken_memory
from shared.endpoint.endpoint import Endpoint, microseconds
from shared.endpoint.our_streams import ask_signals, require_signals
from shared.endpoint.published import signals_in
from shared.endpoint.together import PORTION_KEYS, Together, without_errors
from shared.errors import InvalidInputError
from shared.keys import Keyspace
from shared.ownership import our_state
from shared.record import SOURCE_NUMBERS, RunRecord
from shared.segments import MAX_SEGMENTS, segments_of
from shared.state import SegmentState
from shared.stopping import StopRequest
from shared.tokens import make_token

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


def source_of(settings: RunSettings, record: RunRecord | None, stop: StopRequest) -> ValueSource:
    """Return the values that a new run (without a record) or a resumed one writes."""
    if record is None:
        if settings.values is not None:
            from server_a.run.lines import LineSource  # for files alone, as below

            return LineSource(settings.values, segment_values=settings.number("segment_values"), stop=stop)
        return NumberSource(settings.number("count"))
    if record.source == SOURCE_NUMBERS:
        return NumberSource(record.count)
    from server_a.run.lines import LineSource

    source = LineSource(settings.values or "", segment_values=record.segment_values, stop=stop)
    if (source.count, source.max_value_bytes) != (record.count, record.max_value_bytes):
        source.close()
        expected = f"the run's file of {record.count} lines, the longest of {record.max_value_bytes} bytes"
        got = f"one of {source.count}, the longest of {source.max_value_bytes}"
        raise InvalidInputError(where="--values", expected=expected, got=got)
    return source


@dataclass(frozen=True)
class NewRun:
    """A new run, and what was seen of what it would replace."""

    record: RunRecord
    server_us: int  # the server's clock, microseconds since 1970
    found: Found


def record_of(settings: RunSettings, source: ValueSource, run_id: str, *, command: str = "") -> RunRecord:
    """Return the record of a new run."""
    return RunRecord(
        run_id=run_id,
        source=source.source,
        count=source.count,
        segment_values=settings.number("segment_values"),
        max_value_bytes=source.max_value_bytes,
        **settings.shop_size(),
        seed=settings.number("seed"),
        retain_ms=settings.number("retain_days") * DAY_MS,
        overwrite=settings.overwrite,
        command=command,
    )


def new_run(
    endpoint: Endpoint,
    keys: Keyspace,
    settings: RunSettings,
    source: ValueSource,
    *,
    command: str = "",
    lost: Mapping[int, SegmentState] = MappingProxyType({}),
) -> NewRun:
    """Return a new run after a look at what it would replace, and at the memory there is.

    `lost` are the states that are gone of lists known to be ours, by segment; see `lost_states`.

    Redis: TIME, INFO memory of each server, XREVRANGE of the signals, and HMGET, EXISTS and TYPE for each segment and
    at least 100 more: one round trip for 1,000 segments.
    """
    segments = segments_of(source.count, settings.number("segment_values"))
    if segments > MAX_SEGMENTS:
        expected, advice = f"at most {MAX_SEGMENTS} segments", "take larger segments"
        raise InvalidInputError(where="--segment-values", expected=expected, got=f"{segments}", advice=advice)
    seen = Found(states=dict(lost))
    server_us, signalled = 0, ""
    probed = segments + PROBE_ABSENT  # an older run may have left segments beyond ours
    for first in range(1, probed + 1, PORTION_KEYS):
        numbers = range(first, min(first + PORTION_KEYS, probed + 1))
        kinds, server_us, signalled = _look(endpoint, keys, numbers, seen)
        foreign = [n for n, kind in kinds.items() if n <= segments and is_foreign(seen.states.get(n), kind)]
        if foreign and not settings.overwrite:
            raise foreign_list_error(keys.segment(foreign[0]))
        seen.foreign.update(foreign)
    states = seen.states
    if max(states, default=0) > segments:
        states.update(states_upward(endpoint, keys, after=probed))
    # a signal that was damaged on the way may name a run of later, which would count as the newest one otherwise
    newest = max([signalled, *(state.run_id for state in states.values())])
    run_id = make_token(server_us // 1_000, after=newest)
    return NewRun(record_of(settings, source, run_id, command=command), server_us, seen)


def new_run_or_restore(
    lost: LostStates, settings: RunSettings, source: ValueSource, *, command: str, log: FilteringBoundLogger
) -> NewRun:
    """Return what `new_run` does, also where a list of ours has lost its state: it is then restored."""
    segments = segments_of(source.count, settings.number("segment_values"))

    def look() -> NewRun:
        return new_run(lost.endpoint, lost.keys, settings, source, command=command)

    return lost.restoring(range(1, segments + 1), log, look)


def _look(endpoint: Endpoint, keys: Keyspace, numbers: range, seen: Found) -> tuple[dict[int, bytes], int, str]:
    """Add what is seen of segments; return the types of the keys of their lists, the server's clock, and a run.

    The clock is in microseconds; the run is the newest that one of the last hundred signals names, empty without one.
    """
    signals = keys.signals()
    asked = Together(endpoint)
    nodes = ask_memory(asked, map(keys.segment, numbers))
    ask_signals(asked, keys)
    asked.at(signals).time()
    for number in numbers:
        key = keys.segment(number)
        asked.at(key).hmget(keys.state(key), SegmentState.FIELDS)
        asked.at(key).exists(keys.state(key))
        asked.at(key).type(key)
    replies = asked.send(raise_on_error=False)
    seen.memory.update(taken_memory(nodes, replies[: len(nodes)]))
    newest, now, *replies = without_errors(replies[len(nodes) :])
    require_signals(endpoint, keys, newest)
    for number, values, exists in zip(numbers, replies[::3], replies[1::3], strict=True):
        state = our_state(keys.state(keys.segment(number)), values, exists=bool(exists))
        if state is not None:
            seen.states[number] = state
    server_us = microseconds(now)
    signalled = max((signal.run_id for signal in signals_in(newest, server_ms=server_us // 1_000)), default="")
    return dict(zip(numbers, replies[2::3], strict=True)), server_us, signalled
