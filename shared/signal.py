"""What the producer tells the consumer: the signal of a segment, the state of a segment, the record of a run.

Encoding and decoding are pure and meet here, so that a field can't be written under one name and read under another.
A signal repeats the whole announcement instead of pointing at the run's record: it can be checked before anything else
has arrived, which over replication is the usual order of things.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import InvalidInputError, WrongKeyError
from shared.segments import MAX_COUNT, MAX_SEGMENT_VALUES, MAX_SEGMENTS, segments_of
from shared.tokens import is_token

SCHEMA_VERSION = 1
READABLE_SCHEMA_VERSIONS = (1,)
CONSUMER_GROUP = "server-b"
SIGNAL_FIELDS = ("run_id", "schema_version", "attempt", "segment", "segments", "count", "digest")
OPTIONAL_SIGNAL_FIELDS = ("traceparent",)
SOURCE_NUMBERS = "numbers"
SOURCE_VALUES = "values"
MAX_COMMAND_CHARACTERS = 1_000
MAX_POINTS = 1_000


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
        number_of = {name: _number("signal", name, fields[name.encode()]) for name in ("segment", "segments", "count")}
        signal = cls(
            run_id=_token("signal", "run_id", fields[b"run_id"]),
            attempt=_token("signal", "attempt", fields[b"attempt"]),
            segment=number_of["segment"],
            segments=number_of["segments"],
            count=number_of["count"],
            digest=_digest("signal", fields[b"digest"]),
        )
        _check_bounds("signal", "segments", signal.segments, MAX_SEGMENTS)
        _check_bounds("signal", "segment", signal.segment, signal.segments)
        _check_bounds("signal", "count", signal.count, MAX_SEGMENT_VALUES)
        return signal


@dataclass(frozen=True)
class SegmentState:
    """What the state key of a segment says is published under its name; count 0 means nothing any more."""

    run_id: str
    attempt: str
    count: int
    digest: str

    FIELDS = ("run_id", "attempt", "count", "digest")

    def encode(self) -> dict[str, str]:
        """Return the fields of the hash."""
        return {"run_id": self.run_id, "attempt": self.attempt, "count": str(self.count), "digest": self.digest}

    @classmethod
    def decode(cls, key: str, values: Sequence[Any]) -> SegmentState | None:
        """Return the state from the reply of `HMGET key run_id attempt count digest`; None when there is none.

        Raises:
            WrongKeyError: The hash is there but was not written by this product.
        """
        if all(value is None for value in values):
            return None
        run_id, attempt, count, digest = (value if value is not None else b"" for value in values)
        try:
            number = _number(key, "count", count, least=0)
            text = _digest(key, digest) if number else ""
            return cls(_token(key, "run_id", run_id), _token(key, "attempt", attempt), number, text)
        except InvalidInputError as error:
            raise WrongKeyError(
                where=error.where, expected=error.expected, got=error.got, advice="use --namespace"
            ) from error


@dataclass(frozen=True)
class RunRecord:
    """What a run is to write; kept under `run:<run_id>` so that the run can go on after the program was killed.

    The hash also holds `published` (segments so far), `finished_ms` (0 until the audit is done), `outages` and
    `samples` (JSON: when A lost the server and had it back, and how many values were written by when; milliseconds of
    the server's clock), and, for each segment, `attempt:<n>` (token of an attempt under way), `signal:<n>` (stream id
    of its signal) and, only where values are large, `chunk_values:<n>`.

    Attributes:
        source: `numbers` or `values`.
        max_value_bytes: Length of the longest value.
        retain_ms: How long run, results and signals are kept.
        command: As it was typed, without a password, cut at 1,000 characters; empty where that is not known.
    """

    run_id: str
    source: str
    count: int
    segment_values: int
    max_value_bytes: int
    users: int
    skus: int
    carts: int
    seed: int
    retain_ms: int
    command: str = ""

    NUMBERS = ("count", "segment_values", "max_value_bytes", "users", "skus", "carts", "seed", "retain_ms")

    @property
    def segments(self) -> int:
        """How many segments the run has."""
        return segments_of(self.count, self.segment_values)

    def encode(self) -> dict[str, str]:
        """Return the fields of the hash, without those that say how far the run is."""
        fields = {"schema_version": str(SCHEMA_VERSION), "run_id": self.run_id, "source": self.source}
        fields["command"] = self.command
        return fields | {name: str(getattr(self, name)) for name in self.NUMBERS}

    @classmethod
    def decode(cls, key: str, fields: Mapping[bytes, bytes]) -> RunRecord:
        """Return the record from the fields of its hash.

        Raises:
            InvalidInputError: A field is missing or malformed, or the schema version can't be read here.
        """
        _check_version(key, fields.get(b"schema_version", b""))
        source = fields.get(b"source", b"").decode("ascii", "backslashreplace")
        if source not in (SOURCE_NUMBERS, SOURCE_VALUES):
            raise InvalidInputError(where=f"{key} source", expected="numbers or values", got=repr(source))
        numbers = {name: _number(key, name, fields.get(name.encode(), b""), least=0) for name in cls.NUMBERS}
        _check_bounds(key, "count", numbers["count"], MAX_COUNT)
        _check_bounds(key, "segment_values", numbers["segment_values"], MAX_SEGMENT_VALUES)
        command = fields.get(b"command", b"")[:MAX_COMMAND_CHARACTERS].decode("utf-8", "backslashreplace")
        return cls(_token(key, "run_id", fields.get(b"run_id", b"")), source, **numbers, command=command)


def decode_points(raw: bytes | None) -> list[tuple[int, int]]:
    """Return the pairs of numbers that a field of a run's hash holds as JSON; none where it is somebody else's."""
    try:
        found = json.loads(raw or b"[]")
    except (ValueError, RecursionError):
        return []
    is_ours = isinstance(found, list) and len(found) <= MAX_POINTS
    pairs = [tuple(pair) for pair in found if isinstance(pair, list) and len(pair) == 2] if is_ours else []
    return [(a, b) for a, b in pairs if type(a) is int and type(b) is int and min(a, b) >= 0 and max(a, b) < 2**53]


def signal_field(segment: int) -> str:
    """Return the field of a run's hash that holds the stream id of a segment's signal."""
    return f"signal:{segment}"


def attempt_field(segment: int) -> str:
    """Return the field of a run's hash that holds the token of the attempt under way at a segment."""
    return f"attempt:{segment}"


def chunk_field(segment: int) -> str:
    """Return the field of a run's hash that holds the chunk size of a segment with large values."""
    return f"chunk_values:{segment}"


def _check_names(fields: Mapping[bytes, bytes]) -> None:
    _check_version("signal", fields.get(b"schema_version", b""))
    missing = [name for name in SIGNAL_FIELDS if name.encode() not in fields]
    if missing:
        raise InvalidInputError(where="signal", expected=f"the field {missing[0]}", got="none of that name")
    known = {name.encode() for name in SIGNAL_FIELDS + OPTIONAL_SIGNAL_FIELDS}
    unknown = sorted(set(fields) - known)
    if unknown:
        raise InvalidInputError(where="signal", expected="only the fields of schema 1", got=_shown(unknown[0]))


def _check_version(where: str, raw: bytes) -> None:
    if raw not in [str(version).encode() for version in READABLE_SCHEMA_VERSIONS]:
        versions = " or ".join(str(version) for version in READABLE_SCHEMA_VERSIONS)
        advice = "upgrade server-b first" if where == "signal" else "use the version that wrote it"
        raise InvalidInputError(where=f"{where} schema_version", expected=versions, got=_shown(raw), advice=advice)


def _check_bounds(where: str, name: str, number: int, most: int) -> None:
    if not 1 <= number <= most:
        raise InvalidInputError(where=f"{where} {name}", expected=f"1 to {most}", got=str(number))


def _number(where: str, name: str, raw: bytes, *, least: int = 1) -> int:
    if not re.fullmatch(rb"[0-9]{1,18}", raw) or int(raw) < least:
        raise InvalidInputError(where=f"{where} {name}", expected=f"a whole number from {least}", got=_shown(raw))
    return int(raw)


def _token(where: str, name: str, raw: bytes) -> str:
    text = raw.decode("ascii", "backslashreplace")
    if not is_token(text):
        raise InvalidInputError(
            where=f"{where} {name}", expected="a token like 20261122T205801123Z-3f9a1c", got=_shown(raw)
        )
    return text


def _digest(where: str, raw: bytes) -> str:
    if not re.fullmatch(rb"[0-9a-f]{32}", raw):
        raise InvalidInputError(where=f"{where} digest", expected="32 lower-case hex digits", got=_shown(raw))
    return raw.decode("ascii")


def _shown(raw: bytes) -> str:
    text = raw[:60].decode("utf-8", "backslashreplace")
    return repr(text) + ("…" if len(raw) > 60 else "")
