"""The results of a run, one verdict a segment, and its record."""

from __future__ import annotations

from server_b.segment.look import RECORD_FIELDS, decode_record
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import Together
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.verdict import SegmentVerdict, decode_result


def read_run(endpoint: Endpoint, keys: Keyspace, run_id: str) -> tuple[dict[int, SegmentVerdict], RunRecord | None]:
    """Return a run's verdicts by segment and its record; nothing of a key that holds another type.

    Redis: HGETALL of the result, HMGET of the record, in one round trip; O(segments).
    """
    result_key, run_key = keys.result(run_id), keys.run(run_id)
    asked = Together(endpoint)
    asked.at(result_key).hgetall(result_key)
    asked.at(run_key).hmget(run_key, RECORD_FIELDS)
    result, values = asked.send(raise_on_error=False)
    for reply in (result, values):
        if isinstance(reply, Exception) and not isinstance(reply, WrongKeyError):
            raise reply
    verdicts = {} if isinstance(result, WrongKeyError) else decode_result(result)
    return verdicts, None if isinstance(values, WrongKeyError) else decode_record(run_key, values)


def read_result(endpoint: Endpoint, keys: Keyspace, run_id: str) -> dict[int, SegmentVerdict]:
    """Return a run's verdicts by segment; see `read_run`."""
    return read_run(endpoint, keys, run_id)[0]
