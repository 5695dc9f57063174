"""Goes on with a run that was stopped or killed: what is known of it.

What a resumed run writes comes from its record alone. An option that contradicts the record is refused and not ignored,
because a run that is half of one size and half of another could not be verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from server_a.run.settings import DAY_MS, DEFAULTS, RunSettings
from shared.endpoint.endpoint import Endpoint, microseconds
from shared.endpoint.our_streams import ask_signals, require_signals
from shared.endpoint.small_replies import ask_small
from shared.endpoint.together import Together, ask_each
from shared.errors import InvalidInputError, LongReplyError, WrongKeyError
from shared.keys import Keyspace
from shared.ownership import foreign_error, require_our_record
from shared.record import (
    LOST_ATTEMPTS,
    SOURCE_NUMBERS,
    SOURCE_VALUES,
    RunRecord,
    ShopCount,
    attempt_field,
    decode_attempts,
    decode_entry_id,
    decode_points,
    signal_field,
)
from shared.tokens import is_token, require_not_too_late

_FIELDS = (
    *RunRecord.FIELDS,
    *ShopCount().encode(),
    *("overwrite", "command", "finished_ms", "outages", "samples", LOST_ATTEMPTS),
)
_MOST_RECORD_BYTES = 4 * 1024 * 1024  # samples, outages and lost attempts have some 100 kB
_TOGETHER = 500  # segments
_MOST_NOTED_BYTES = 256 * 1024  # four times what these have of ours


@dataclass(frozen=True)
class KnownRun:
    """A run that was begun before."""

    record: RunRecord
    finished_signals: Mapping[int, str]  # stream IDs of its signals by segment; empty unless the run had finished
    signalled: frozenset[int]  # segments that were signalled, whether the run had finished or not
    under_way: Mapping[int, str]  # tokens of attempts that were under way, by segment
    lost: list[tuple[int, str]]  # segment and token of attempts that had failed
    outages: list[tuple[int, int]]  # when A lost the server and when it came back, milliseconds of the server's clock
    samples: list[tuple[int, int]]  # milliseconds of the server's clock, and values written by then
    shop: ShopCount  # what was counted of its shop
    server_us: int  # the server's clock now, microseconds since 1970

    @property
    def abandoned(self) -> list[tuple[int, str]]:
        """Segment and token of all attempts that may have left something."""
        return list(dict.fromkeys([*self.lost, *self.under_way.items()]))


def read_known_run(endpoint: Endpoint, keys: Keyspace, settings: RunSettings) -> KnownRun:
    """Return what is known of the run that `--resume` names; raise InvalidInputError if an option contradicts it.

    Redis: HMGET of the record, TIME, XREVRANGE of the signals in one round trip; then HMGET of what the record notes of
    each segment, 500 segments a command, in another one.
    """
    run_id = settings.resume or ""
    key = keys.run(run_id)
    asked = Together(endpoint)
    asked.at(key).execute_command("HMGET", key, *_FIELDS, most_bytes=_MOST_RECORD_BYTES)
    ask_signals(asked, keys)
    asked.at(keys.signals()).time()
    try:
        values, newest, now = asked.send()
    except LongReplyError as error:
        raise _too_long(key) from error
    fields = {name.encode(): value for name, value in zip(_FIELDS, values, strict=True) if value is not None}
    if b"schema_version" not in fields:
        where, expected = f"--resume {run_id}", "a run of this endpoint and namespace"
        raise InvalidInputError(where=where, expected=expected, got="an unknown one", advice="see server-a status")
    record = RunRecord.decode(key, fields)
    require_our_record(key, run_id, record.run_id)
    require_not_too_late(f"--resume {run_id}", run_id, microseconds(now) // 1_000)
    require_signals(endpoint, keys, newest, run_id=run_id)
    _refuse_contradictions(settings, record)
    numbers = range(1, record.segments + 1)
    fields |= _noted(endpoint, key, numbers)
    tokens = {number: fields.get(attempt_field(number).encode(), b"").decode("ascii", "replace") for number in numbers}
    is_finished = fields.get(b"finished_ms", b"0") != b"0"
    ids = {number: decode_entry_id(fields.get(signal_field(number).encode())) for number in numbers}
    signals = {number: entry_id for number, entry_id in ids.items() if entry_id}
    return KnownRun(
        record=record,
        finished_signals=signals if is_finished else {},
        signalled=frozenset(signals),
        under_way={number: token for number, token in tokens.items() if is_token(token)},
        lost=decode_attempts(fields.get(LOST_ATTEMPTS.encode())),
        outages=decode_points(fields.get(b"outages")),
        samples=decode_points(fields.get(b"samples")),
        shop=ShopCount.decode(key, fields),
        server_us=microseconds(now),
    )


def _noted(endpoint: Endpoint, key: str, numbers: range) -> dict[bytes, bytes]:
    """Return what a record notes of each segment; WrongKeyError where that is longer than what we write.

    HGETALL was rejected: a hash of somebody else's under the record's name may have any number of fields.
    """
    wanted = [
        [field(number) for number in numbers[first : first + _TOGETHER] for field in (attempt_field, signal_field)]
        for first in range(0, len(numbers), _TOGETHER)
    ]
    replies = ask_small(endpoint, [("HMGET", key, *names) for names in wanted], most_bytes=_MOST_NOTED_BYTES)
    found: dict[bytes, bytes] = {}
    for names, values in zip(wanted, replies, strict=True):
        if values is None:
            raise _too_long(key)
        found |= {name.encode(): value for name, value in zip(names, values, strict=True) if value is not None}
    return found


def _too_long(key: str) -> WrongKeyError:
    return foreign_error(key, "the record of a run", "values of somebody else's, too long")


def _refuse_contradictions(settings: RunSettings, record: RunRecord) -> None:
    for name in DEFAULTS:
        given = getattr(settings, name)
        recorded = record.retain_ms // DAY_MS if name == "retain_days" else getattr(record, name)
        if given is not None and given != recorded:
            option = "--" + name.replace("_", "-")
            raise InvalidInputError(where=option, expected=f"{recorded}, as the run has it", got=f"{given}")
    if settings.overwrite and not record.overwrite:
        expected = "nothing, for a run that was begun without it"
        raise InvalidInputError(where="--overwrite", expected=expected, got="--overwrite")
    if record.source == SOURCE_VALUES and settings.values is None:
        raise InvalidInputError(where="--resume", expected="the run's file again as --values FILE", got="no --values")
    if record.source == SOURCE_NUMBERS and settings.values is not None:
        raise InvalidInputError(where="--values", expected="nothing, for a run of numbers", got=settings.values)


def remove_staging(endpoint: Endpoint, keys: Keyspace, attempts: Iterable[tuple[int, str]]) -> None:
    """Remove what attempts, given as segment and token, have written and nobody needs: it takes up memory."""
    staging = [keys.staging(keys.segment(number), attempt) for number, attempt in attempts]
    for _ in ask_each(endpoint, staging, lambda pipeline, key: pipeline.unlink(key)):
        pass
