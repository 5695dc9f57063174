"""A run's record as a consumer reads it: with HMGET, since the hash has a field for each segment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shared.endpoint.endpoint import Endpoint
from shared.errors import InvalidInputError, WrongKeyError
from shared.keys import Keyspace
from shared.record import RunRecord

RECORD_FIELDS = ("schema_version", "run_id", "source", *RunRecord.NUMBERS)


def named_fields(names: Iterable[str], values: Iterable[Any]) -> dict[bytes, bytes]:
    """Return those of the values that HMGET found, by name."""
    return {name.encode(): value for name, value in zip(names, values, strict=True) if value is not None}


def decode_record(key: str, fields: dict[bytes, bytes]) -> RunRecord | None:
    """Return the record at a key; None where it is not here, or not ours."""
    try:
        return RunRecord.decode(key, fields)
    except InvalidInputError:
        return None


def read_record(endpoint: Endpoint, keys: Keyspace, run_id: str) -> RunRecord | None:
    """Return a run's record; None where it is not here, or not ours.

    Redis:
        HMGET; O(1).
    """
    key = keys.run(run_id)
    try:
        values = endpoint.at(key).hmget(key, list(RECORD_FIELDS))
    except WrongKeyError:
        return None
    return decode_record(key, named_fields(RECORD_FIELDS, values))
