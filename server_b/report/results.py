"""The results of a run: one verdict a segment."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from server_b.segment.run_records import RECORD_FIELDS, decode_record, named_fields
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import Together
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.verdict import SegmentVerdict, decode_result


@dataclass(frozen=True)
class ReadRun:
    """What is known of a run: its verdicts by segment, and its record where that is here and ours."""

    verdicts: dict[int, SegmentVerdict]
    record: RunRecord | None


def read_result(endpoint: Endpoint, keys: Keyspace, run_id: str) -> dict[int, SegmentVerdict]:
    """Return a run's verdicts by segment; none of a key that somebody else gave another type.

    Redis:
        HGETALL; O(segments).
    """
    key = keys.result(run_id)
    with suppress(WrongKeyError):
        return decode_result(cast("dict[bytes, bytes]", endpoint.at(key).hgetall(key)))
    return {}


def read_run(endpoint: Endpoint, keys: Keyspace, run_id: str) -> ReadRun:
    """Return a run's verdicts and its record; nothing of a key that somebody else gave another type.

    Redis:
        HGETALL of the result, HMGET of the record, in one round trip; O(segments).
    """
    result_key, run_key = keys.result(run_id), keys.run(run_id)
    asked = Together(endpoint)
    asked.at(result_key).hgetall(result_key)
    asked.at(run_key).hmget(run_key, list(RECORD_FIELDS))
    result, values = asked.send(raise_on_error=False)
    for reply in (result, values):
        if isinstance(reply, Exception) and not isinstance(reply, WrongKeyError):
            raise reply
    return ReadRun(
        verdicts={} if isinstance(result, WrongKeyError) else decode_result(result),
        record=None
        if isinstance(values, WrongKeyError)
        else decode_record(run_key, named_fields(RECORD_FIELDS, values)),
    )
