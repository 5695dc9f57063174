"""The signal: what the producer tells the consumer of a published segment.

Encoding and decoding are pure and meet here, so that a field can't be written under one name and read under another.
A signal repeats the whole announcement instead of pointing at the run's record: it can be checked before anything else
has arrived, which over replication is the usual order of things.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.errors import InvalidInputError
from shared.fields import SCHEMA_VERSION, check_bounds, check_version, decode_digest, decode_number, decode_token, shown
from shared.segments import MAX_SEGMENT_VALUES, MAX_SEGMENTS

CONSUMER_GROUP = "server-b"
SIGNAL_FIELDS = ("run_id", "schema_version", "attempt", "segment", "segments", "count", "digest")
OPTIONAL_SIGNAL_FIELDS = ("traceparent",)


@dataclass(frozen=True)
class Signal:
    """The announcement of one published segment.

    Attributes:
        run_id: The run it belongs to.
        attempt: Token of the attempt that was published; a later one sorts after it.
        segment: Its number, from 1 to `segments`.
        count: Values in this segment.
        digest: The segment's digest, 32 lower-case hex digits.
    """

    run_id: str
    attempt: str
    segment: int
    segments: int
    count: int
    digest: str

    def encode(self) -> dict[str, str]:
        """Return the fields of the stream entry; browsers of keys show the first one, so it names the run."""
        return {
            "run_id": self.run_id,
            "schema_version": str(SCHEMA_VERSION),
            "attempt": self.attempt,
            "segment": str(self.segment),
            "segments": str(self.segments),
            "count": str(self.count),
            "digest": self.digest,
        }

    @classmethod
    def decode(cls, fields: Mapping[bytes, bytes]) -> Signal:
        """Return the signal that a stream entry's fields spell.

        Raises:
            InvalidInputError: A field is missing, unknown or malformed, or the schema version can't be read here.
        """
        _check_names(fields)
        number_of = {
            name: decode_number("signal", name, fields[name.encode()]) for name in ("segment", "segments", "count")
        }
        signal = cls(
            run_id=decode_token("signal", "run_id", fields[b"run_id"]),
            attempt=decode_token("signal", "attempt", fields[b"attempt"]),
            segment=number_of["segment"],
            segments=number_of["segments"],
            count=number_of["count"],
            digest=decode_digest("signal", fields[b"digest"]),
        )
        check_bounds("signal", "segments", signal.segments, MAX_SEGMENTS)
        check_bounds("signal", "segment", signal.segment, signal.segments)
        check_bounds("signal", "count", signal.count, MAX_SEGMENT_VALUES)
        return signal


def _check_names(fields: Mapping[bytes, bytes]) -> None:
    check_version("signal", fields.get(b"schema_version", b""))
    missing = [name for name in SIGNAL_FIELDS if name.encode() not in fields]
    if missing:
        raise InvalidInputError(where="signal", expected=f"the field {missing[0]}", got="none of that name")
    known = {name.encode() for name in SIGNAL_FIELDS + OPTIONAL_SIGNAL_FIELDS}
    unknown = sorted(set(fields) - known)
    if unknown:
        raise InvalidInputError(where="signal", expected="only the fields of schema 1", got=shown(unknown[0]))
