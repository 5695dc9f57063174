"""The record of a run: made at its start, found again when it is resumed.

What a resumed run is to write comes from the record alone; an option that says otherwise is refused rather than
ignored, since half a run of one size and half of another would verify nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from server_a.publisher import foreign_list_error
from server_a.settings import (
    DAY_MS,
    DEFAULT_COUNT,
    DEFAULT_RETAIN_DAYS,
    DEFAULT_SEED,
    DEFAULT_SEGMENT_VALUES,
    RunSettings,
)
from server_a.value_file import LineSource
from server_a.values import NumberSource, ValueSource
from shared.endpoint.client import Endpoint
from shared.endpoint.pipelined import run_pipelined
from shared.errors import InvalidInputError, WrongKeyError
from shared.keys import Keyspace
from shared.run_signal import SOURCE_NUMBERS, SOURCE_VALUES, RunRecord, SegmentState, signal_field
from shared.segments import MAX_SEGMENTS, segments_of
from shared.stopping import StopRequest
from shared.tokens import is_token, make_token

PROBE_ABSENT = 100
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


def new_record(endpoint: Endpoint, keys: Keyspace, settings: RunSettings, source: ValueSource) -> RunRecord:
    """Return the record of a new run, after a look at what it would replace.

    Raises:
        InvalidInputError: The values make too many segments.
        WrongKeyError: A list or stream that is not ours stands where ours should.

    Redis:
        TIME; HMGET and EXISTS for each segment and at least 100 more, pipelined; TYPE.
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
    _require_stream(endpoint, keys.signals())
    own = [keys.segment(number) for number in range(1, segments + 1)]
    states = {**dict(_states(endpoint, keys, own)), **dict(states_upward(endpoint, keys, after=0))}
    if not settings.overwrite:
        _require_ours(endpoint, own, states)
    newest = max((state.run_id for state in states.values() if state is not None), default="")
    return RunRecord(
        run_id=make_token(endpoint.server_ms(keys.signals()), after=newest),
        source=source.source,
        count=source.count,
        segment_values=segment_values,
        max_value_bytes=source.max_value_bytes,
        **settings.shop_size(),
        seed=DEFAULT_SEED if settings.seed is None else settings.seed,
        retain_ms=(settings.retain_days or DEFAULT_RETAIN_DAYS) * DAY_MS,
    )


def read_record(endpoint: Endpoint, keys: Keyspace, settings: RunSettings) -> tuple[RunRecord, dict[int, str]]:
    """Return the record of the run that `--resume` names and, if it had finished, the stream ids of its signals.

    Raises:
        InvalidInputError: There is no such run here, or an option contradicts it.

    Redis:
        HGETALL; O(segments).
    """
    run_id = settings.resume or ""
    key = keys.run(run_id)
    if not is_token(run_id):
        raise InvalidInputError(where="--resume", expected="a run id like 20261122T205801123Z-3f9a1c", got=repr(run_id))
    with endpoint.wire(key) as wire:
        reply = wire.call("HGETALL", key)
    fields = dict(zip(reply[::2], reply[1::2], strict=True))
    if b"schema_version" not in fields:
        raise InvalidInputError(
            where=f"--resume {run_id}", expected="a run of this endpoint and namespace", got="an unknown one",
            advice="see server-a status",
        )  # fmt: skip
    record = RunRecord.decode(key, fields)
    _refuse_contradictions(settings, record)
    if fields.get(b"finished_ms", b"0") == b"0":
        return record, {}
    ids = {number: fields.get(signal_field(number).encode()) for number in range(1, record.segments + 1)}
    return record, {number: entry_id.decode() for number, entry_id in ids.items() if entry_id is not None}


def states_upward(endpoint: Endpoint, keys: Keyspace, *, after: int) -> Iterator[tuple[str, SegmentState | None]]:
    """Yield segment keys and states from segment `after + 1` upward until 100 in a row have no state."""
    absent = 0
    number = after + 1
    while absent < PROBE_ABSENT:
        probed = [keys.segment(n) for n in range(number, number + PROBE_ABSENT)]
        found = dict(_states(endpoint, keys, probed))
        for key in probed:
            yield key, found[key]
            absent = 0 if found[key] is not None else absent + 1
            if absent == PROBE_ABSENT:
                return
        number += PROBE_ABSENT


def _states(endpoint: Endpoint, keys: Keyspace, names: Iterable[str]) -> Iterator[tuple[str, SegmentState | None]]:
    by_state = {keys.state(name): name for name in names}
    commands = [("HMGET", key, *SegmentState.FIELDS) for key in by_state]
    for command, reply in run_pipelined(endpoint, commands):
        key = str(command[1])
        yield by_state[key], SegmentState.decode(key, reply)


def _require_ours(endpoint: Endpoint, own: list[str], states: dict[str, SegmentState | None]) -> None:
    """Refuse lists that stand under our names without a state of ours."""
    unclaimed = [name for name in own if (state := states[name]) is None or state.count == 0]
    for command, exists in run_pipelined(endpoint, (("EXISTS", name) for name in unclaimed)):
        if exists:
            raise foreign_list_error(str(command[1]))


def _require_stream(endpoint: Endpoint, key: str) -> None:
    with endpoint.wire(key) as wire:
        kind = wire.call("TYPE", key)
    if kind not in (b"none", b"stream"):
        raise WrongKeyError(
            where=key, expected="a stream or nothing", got=f"a {kind.decode()}", advice="use --namespace"
        )


def _refuse_contradictions(settings: RunSettings, record: RunRecord) -> None:
    pairs = [(name, getattr(settings, name), getattr(record, name)) for name in _CONTRADICTABLE]
    pairs.append(("retain_days", settings.retain_days, record.retain_ms // DAY_MS))
    for name, given, recorded in pairs:
        if given is not None and given != recorded:
            option = "--" + name.replace("_", "-")
            raise InvalidInputError(where=option, expected=f"{recorded}, as the run has it", got=f"{given}")
    if record.source == SOURCE_VALUES and settings.values is None:
        raise InvalidInputError(where="--resume", expected="the run's file again as --values FILE", got="no --values")
    if record.source == SOURCE_NUMBERS and settings.values is not None:
        raise InvalidInputError(where="--values", expected="nothing, for a run of numbers", got=settings.values)
