"""The signal: what the producer tells the consumer about a published segment.

A signal holds everything about its segment instead of pointing at the run's record: behind replication it may arrive
before anything else, and can be checked then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from shared.errors import InvalidInputError
from shared.fields import (
    SCHEMA_VERSION,
    check_bounds,
    check_version,
    decode_digest,
    decode_number,
    decode_token,
    decode_traceparent,
    shown,
)
from shared.segments import MAX_SEGMENT_VALUES, MAX_SEGMENTS

CONSUMER_GROUP = "server-b"
SIGNAL_FIELDS = ("run_id", "schema_version", "attempt", "segment", "segments", "count", "digest")
OPTIONAL_SIGNAL_FIELDS = ("traceparent",)


@dataclass(frozen=True)
class Signal:
    """The announcement of one published segment."""

    run_id: str
    attempt: str  # token of the attempt that was published; a later one sorts after it
    segment: int  # from 1 to `segments`
    segments: int
    count: int  # values in this segment
    digest: str  # of the segment, 32 lower-case hex digits
    traceparent: str = field(default="", compare=False)  # of the span that sent it, with telemetry; else empty

    def encode(self) -> dict[str, str]:
        """Return the fields of the stream entry, the run first, because key browsers show the first field."""
        values = asdict(self) | {"schema_version": SCHEMA_VERSION}
        sent = SIGNAL_FIELDS + (OPTIONAL_SIGNAL_FIELDS if self.traceparent else ())
        return {name: str(values[name]) for name in sent}

    @classmethod
    def decode(cls, fields: Mapping[bytes, bytes]) -> Signal:
        """Return the signal of a stream entry; InvalidInputError if a field is missing, unknown or malformed."""
        _check_names(fields)
        run_id, attempt = (decode_token("signal", name, fields[name.encode()]) for name in ("run_id", "attempt"))
        segment, segments, count = (
            decode_number("signal", name, fields[name.encode()]) for name in ("segment", "segments", "count")
        )
        raw, digest = fields.get(b"traceparent"), decode_digest("signal", fields[b"digest"])
        traceparent = decode_traceparent("signal", raw) if raw is not None else ""
        signal = cls(run_id, attempt, segment, segments, count, digest, traceparent)
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
