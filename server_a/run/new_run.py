"""A new run: its values, and its record after a look at what it would replace."""

from __future__ import annotations

from dataclasses import dataclass

from server_a.run.lines import LineSource
from server_a.run.publish import foreign_list_error
from server_a.run.settings import (
    DAY_MS,
    DEFAULT_COUNT,
    DEFAULT_RETAIN_DAYS,
    DEFAULT_SEED,
    DEFAULT_SEGMENT_VALUES,
    RunSettings,
)
from server_a.run.states import PROBE_ABSENT, states_upward
from server_a.run.values import NumberSource, ValueSource
from shared.endpoint.endpoint import Endpoint, microseconds
from shared.endpoint.together import PORTION_KEYS, Together
from shared.errors import InvalidInputError, WrongKeyError
from shared.keys import Keyspace
from shared.record import SOURCE_NUMBERS, RunRecord
from shared.segments import MAX_SEGMENTS, segments_of
from shared.state import SegmentState
from shared.stopping import StopRequest
from shared.tokens import make_token

_CONTRADICTABLE = ("count", "segment_values", "users", "skus", "carts", "seed")


def source_of(settings: RunSettings, record: RunRecord | None, stop: StopRequest) -> ValueSource:
    """Return the values that a new run (without a record) or a resumed one is to write.

    Raises:
        InvalidInputError: The file can't be used, or is not the file of the run that is resumed.
        NotFinishedError: A stop was requested while it was read.
    """
    if record is None:
        if settings.values is not None:
            segment_values = settings.segment_values or DEFAULT_SEGMENT_VALUES
            return LineSource(settings.values, segment_values=segment_values, stop=stop)
        return NumberSource(settings.count or DEFAULT_COUNT)
    if record.source == SOURCE_NUMBERS:
        return NumberSource(record.count)
    source = LineSource(settings.values or "", segment_values=record.segment_values, stop=stop)
    if (source.count, source.max_value_bytes) != (record.count, record.max_value_bytes):
        source.close()
        raise InvalidInputError(
            where="--values",
            expected=f"the run's file of {record.count} lines, the longest of {record.max_value_bytes} bytes",
            got=f"one of {source.count}, the longest of {source.max_value_bytes}",
        )
    return source


@dataclass(frozen=True)
class NewRun:
    """A run that nothing stands in the way of, and what its server's clock said."""

    record: RunRecord
    server_us: int


def new_run(
    endpoint: Endpoint, keys: Keyspace, settings: RunSettings, source: ValueSource, *, command: str = ""
) -> NewRun:
    """Return the record of a new run, after a look at what it would replace.

    Raises:
        InvalidInputError: The values make too many segments.
        WrongKeyError: A list or stream that is not ours stands where ours should.

    Redis:
        TIME, TYPE, and HMGET and EXISTS for each segment and at least 100 more: one round trip for 1,000 segments.
    """
    segment_values = settings.segment_values or DEFAULT_SEGMENT_VALUES
    segments = segments_of(source.count, segment_values)
    if segments > MAX_SEGMENTS:
        raise InvalidInputError(
            where="--segment-values",
            expected=f"at most {MAX_SEGMENTS} segments",
            got=f"{segments}",
            advice="take larger segments",
        )
    found = _look_around(endpoint, keys, segments)
    if not settings.overwrite:
        for number in range(1, segments + 1):
            state = found.states.get(number)
            if (state is None or state.count == 0) and number in found.lists:
                raise foreign_list_error(keys.segment(number))
    newest = max((state.run_id for state in found.states.values()), default="")
    record = RunRecord(
        run_id=make_token(found.server_us // 1_000, after=newest),
        source=source.source,
        count=source.count,
        segment_values=segment_values,
        max_value_bytes=source.max_value_bytes,
        **settings.shop_size(),
        seed=DEFAULT_SEED if settings.seed is None else settings.seed,
        retain_ms=(settings.retain_days or DEFAULT_RETAIN_DAYS) * DAY_MS,
        command=command,
    )
    return NewRun(record, found.server_us)


@dataclass
class _Surroundings:
    """States by segment, which segments have a list, and the server's clock in microseconds."""

    states: dict[int, SegmentState]
    lists: set[int]
    server_us: int = 0


def _look_around(endpoint: Endpoint, keys: Keyspace, segments: int) -> _Surroundings:
    """Look at the stream, at all segments of the run, and at those that an older run may have left behind them."""
    found = _Surroundings({}, set())
    signals = keys.signals()
    probed = segments + PROBE_ABSENT
    for first in range(1, probed + 1, PORTION_KEYS):
        numbers = range(first, min(first + PORTION_KEYS, probed + 1))
        asked = Together(endpoint)
        if first == 1:
            asked.at(signals).type(signals)
            asked.at(signals).time()
        for number in numbers:
            key = keys.segment(number)
            asked.at(key).hmget(keys.state(key), list(SegmentState.FIELDS))
            asked.at(key).exists(key)
        replies = asked.send()
        if first == 1:
            _require_stream(signals, replies.pop(0))
            found.server_us = microseconds(replies.pop(0))
        for number, reply, exists in zip(numbers, replies[::2], replies[1::2], strict=True):
            state = SegmentState.decode(keys.state(keys.segment(number)), reply)
            if state is not None:
                found.states[number] = state
            if exists:
                found.lists.add(number)
    if max(found.states, default=0) > segments:
        found.states.update(states_upward(endpoint, keys, after=probed))
    return found


def _require_stream(key: str, kind: bytes) -> None:
    if kind not in (b"none", b"stream"):
        raise WrongKeyError(
            where=key, expected="a stream or nothing", got=f"a {kind.decode()}", advice="use --namespace"
        )
