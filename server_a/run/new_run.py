"""A new run: its values, and its record after a look at what it would replace."""

from __future__ import annotations

from dataclasses import dataclass

from server_a.run.publish import foreign_list_error, is_ours
from server_a.run.room import Found
from server_a.run.settings import DAY_MS, RunSettings
from server_a.run.states import PROBE_ABSENT, states_upward
from server_a.run.values import NumberSource, ValueSource
from shared.check.memory import ask_memory, taken_memory
from shared.endpoint.endpoint import Endpoint, microseconds
from shared.endpoint.together import PORTION_KEYS, Together, without_errors
from shared.errors import InvalidInputError, WrongKeyError
from shared.keys import Keyspace
from shared.record import SOURCE_NUMBERS, RunRecord
from shared.segments import MAX_SEGMENTS, segments_of
from shared.state import SegmentState
from shared.stopping import StopRequest
from shared.tokens import make_token


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
    endpoint: Endpoint, keys: Keyspace, settings: RunSettings, source: ValueSource, *, command: str = ""
) -> NewRun:
    """Return a new run after a look at what it would replace, and at the memory there is.

    Redis: TIME, TYPE, INFO memory of each server, and HMGET and EXISTS for each segment and at least 100 more: one
    round trip for 1,000 segments.
    """
    segment_values = settings.number("segment_values")
    segments = segments_of(source.count, segment_values)
    if segments > MAX_SEGMENTS:
        expected, advice = f"at most {MAX_SEGMENTS} segments", "take larger segments"
        raise InvalidInputError(where="--segment-values", expected=expected, got=f"{segments}", advice=advice)
    seen = Found()
    server_us = 0
    probed = segments + PROBE_ABSENT  # an older run may have left segments beyond ours
    for first in range(1, probed + 1, PORTION_KEYS):
        numbers = range(first, min(first + PORTION_KEYS, probed + 1))
        lists, server_us = _look(endpoint, keys, numbers, seen)
        foreign = [number for number in lists if number <= segments and not is_ours(seen.states.get(number))]
        if foreign and not settings.overwrite:
            raise foreign_list_error(keys.segment(foreign[0]))
        seen.foreign.update(foreign)
    states = seen.states
    if max(states, default=0) > segments:
        states.update(states_upward(endpoint, keys, after=probed))
    newest = max((state.run_id for state in states.values()), default="")
    run_id = make_token(server_us // 1_000, after=newest)
    return NewRun(record_of(settings, source, run_id, command=command), server_us, seen)


def _look(endpoint: Endpoint, keys: Keyspace, numbers: range, seen: Found) -> tuple[list[int], int]:
    """Add what is seen of segments; return which of them have a list, and the server's clock in microseconds."""
    signals = keys.signals()
    asked = Together(endpoint)
    nodes = ask_memory(asked, map(keys.segment, numbers))
    asked.at(signals).type(signals)
    asked.at(signals).time()
    for number in numbers:
        key = keys.segment(number)
        asked.at(key).hmget(keys.state(key), SegmentState.FIELDS)
        asked.at(key).exists(key)
    replies = asked.send(raise_on_error=False)
    seen.memory.update(taken_memory(nodes, replies[: len(nodes)]))
    kind, now, *replies = without_errors(replies[len(nodes) :])
    if kind not in (b"none", b"stream"):
        got = f"a {kind.decode()}"
        raise WrongKeyError(where=signals, expected="a stream or nothing", got=got, advice="use --namespace")
    for number, reply in zip(numbers, replies[::2], strict=True):
        state = SegmentState.decode(keys.state(keys.segment(number)), reply)
        if state is not None:
            seen.states[number] = state
    return [n for n, exists in zip(numbers, replies[1::2], strict=True) if exists], microseconds(now)
