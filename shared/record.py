"""The record of a run: what it is to write, and how far it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.entry_ids import is_entry_id
from shared.errors import InvalidInputError
from shared.fields import SCHEMA_VERSION, check_bounds, check_version, decode_flag, decode_number, decode_token
from shared.keys import TOKEN_PATTERN
from shared.segments import (
    MAX_COUNT,
    MAX_SEGMENT_VALUES,
    MAX_SEGMENTS,
    MAX_VALUE_BYTES,
    SegmentRange,
    segment_range,
    segments_of,
)
from shared.tokens import is_token

SOURCE_NUMBERS = "numbers"
SOURCE_VALUES = "values"
MAX_COMMAND_CHARACTERS = 1_000
MAX_POINTS = 1_000
LOST_ATTEMPTS = "lost_attempts"
MAX_LOST_ATTEMPTS = 1_000
MAX_RETAIN_MS = 10 * 366 * 24 * 60 * 60 * 1000
MAX_SHOP_RECORDS = 100_000_000  # of each kind


@dataclass(frozen=True)
class RunRecord:
    """What a run is to write; kept under `run:<run_id>` so that the run can be resumed after the program was killed.

    The hash also holds `published` (segments so far), `finished_ms` (0 until the audit is done), `ShopCount`'s fields,
    `outages` and `samples` (JSON: when A lost the server and had it back, and how many values were written by when;
    milliseconds of the server's clock), `lost_attempts` where an attempt has failed (segment and token of each: its
    staging key may be there once more), and, for each segment, `attempt:<n>` (token of an attempt under way),
    `signal:<n>` (stream id of its signal) and, only where values are large, `chunk_values:<n>`.
    """

    run_id: str
    source: str  # `numbers` or `values`
    count: int
    segment_values: int
    max_value_bytes: int  # length of the longest value
    users: int
    skus: int
    carts: int
    seed: int
    retain_ms: int  # how long run, results and signals are kept
    overwrite: bool = False  # whether lists and shop records that were there already are written over
    command: str = ""  # as it was typed, without a password, cut at 1,000 characters; empty where it is not known

    NUMBERS = ("count", "segment_values", "max_value_bytes", "users", "skus", "carts", "seed", "retain_ms")
    FIELDS = ("schema_version", "run_id", "source", *NUMBERS)  # without which there is no record

    @property
    def segments(self) -> int:
        """How many segments the run has."""
        return segments_of(self.count, self.segment_values)

    def range_of(self, number: int) -> SegmentRange:
        """Return which values form a segment."""
        return segment_range(number, count=self.count, segment_values=self.segment_values)

    def contradicts(self, segment: int, *, segments: int, count: int) -> str:
        """Return what a signal says of a segment otherwise than this record; empty when they agree."""
        if segments != self.segments:
            return f"its signal says {segments:,} segments, the record of its run {self.segments:,}"
        expected = self.range_of(segment).count
        return "" if count == expected else f"its signal says {count:,} values, the record of its run {expected:,}"

    def encode(self) -> dict[str, str]:
        """Return the fields of the hash, without those that say how far the run is."""
        texts = {"schema_version": str(SCHEMA_VERSION), "run_id": self.run_id, "source": self.source}
        texts |= {"overwrite": str(int(self.overwrite)), "command": self.command}
        return texts | {name: str(getattr(self, name)) for name in self.NUMBERS}

    @classmethod
    def decode(cls, key: str, fields: Mapping[bytes, bytes]) -> RunRecord:
        """Return the record from the fields of its hash; InvalidInputError if a field is missing or malformed."""
        check_version(key, fields.get(b"schema_version", b""))
        source = fields.get(b"source", b"").decode("ascii", "backslashreplace")
        if source not in (SOURCE_NUMBERS, SOURCE_VALUES):
            raise InvalidInputError(where=f"{key} source", expected="numbers or values", got=repr(source))
        numbers = {name: decode_number(key, name, fields.get(name.encode(), b""), least=0) for name in cls.NUMBERS}
        check_bounds(key, "count", numbers["count"], MAX_COUNT)
        check_bounds(key, "segment_values", numbers["segment_values"], MAX_SEGMENT_VALUES)
        check_bounds(key, "segments", segments_of(numbers["count"], numbers["segment_values"]), MAX_SEGMENTS)
        check_bounds(key, "max_value_bytes", numbers["max_value_bytes"], MAX_VALUE_BYTES, least=0)
        check_bounds(key, "retain_ms", numbers["retain_ms"], MAX_RETAIN_MS, least=0)
        for name in ("users", "skus", "carts"):
            check_bounds(key, name, numbers[name], MAX_SHOP_RECORDS, least=0)
        command = fields.get(b"command", b"")[:MAX_COMMAND_CHARACTERS].decode("utf-8", "backslashreplace")
        overwrite = decode_flag(key, "overwrite", fields.get(b"overwrite", b"0"))
        run_id = decode_token(key, "run_id", fields.get(b"run_id", b""))
        return cls(run_id, source, **numbers, overwrite=overwrite, command=command)


@dataclass(frozen=True)
class ShopCount:
    """How many records of the shop a run has looked for before it wrote any of them, and how many were there."""

    looked: int = 0  # the run's first so many
    kept: int = 0

    def encode(self) -> dict[str, str]:
        """Return the fields of the run's hash."""
        return {"shop_looked": str(self.looked), "shop_kept": str(self.kept)}

    @classmethod
    def decode(cls, key: str, fields: Mapping[bytes, bytes]) -> ShopCount:
        """Return the count from the fields of a run's hash; zeros where nothing was counted yet."""
        found = cls(*(decode_number(key, name, fields.get(name.encode(), b"0"), least=0) for name in cls().encode()))
        check_bounds(key, "shop_looked", found.looked, 3 * MAX_SHOP_RECORDS, least=0)
        check_bounds(key, "shop_kept", found.kept, found.looked, least=0)
        return found


def decode_points(raw: bytes | None) -> list[tuple[int, int]]:
    """Return the pairs of numbers that a field of a run's hash holds as JSON; none if they are malformed."""
    try:
        found = json.loads(raw or b"[]")
    except (ValueError, RecursionError):
        return []
    is_ours = isinstance(found, list) and len(found) <= MAX_POINTS
    pairs = [tuple(pair) for pair in found if isinstance(pair, list) and len(pair) == 2] if is_ours else []
    return [(a, b) for a, b in pairs if type(a) is int and type(b) is int and min(a, b) >= 0 and max(a, b) < 2**53]


def encode_attempts(attempts: Sequence[tuple[int, str]]) -> str:
    """Return segments and tokens as the record keeps them: the last thousand, as `3:20261122T205801123Z-3f9a1c …`."""
    return " ".join(f"{number}:{attempt}" for number, attempt in attempts[-MAX_LOST_ATTEMPTS:])


def decode_attempts(raw: bytes | None) -> list[tuple[int, str]]:
    """Return segments and tokens that a field of a run's hash holds, without what is malformed."""
    words = (raw or b"").decode("ascii", "replace").split(" ")[:MAX_LOST_ATTEMPTS]
    found = (re.fullmatch(f"([1-9][0-9]{{0,5}}):({TOKEN_PATTERN})", word) for word in words)
    return [(int(match[1]), match[2]) for match in found if match is not None and is_token(match[2])]


def decode_entry_id(raw: bytes | None) -> str:
    """Return the stream id that a `signal:<n>` holds; empty where it is missing or none."""
    return raw.decode("ascii") if raw is not None and is_entry_id(raw) else ""


def signal_field(segment: int) -> str:
    """Return the field of a run's hash that holds the stream id of a segment's signal."""
    return f"signal:{segment}"


def attempt_field(segment: int) -> str:
    """Return the field of a run's hash that holds the token of the attempt under way at a segment."""
    return f"attempt:{segment}"


def chunk_field(segment: int) -> str:
    """Return the field of a run's hash that holds the chunk size of a segment with large values."""
    return f"chunk_values:{segment}"
