"""Twelve ways to change a published list of 2,500 values, each with the witness that says exactly that.

The changes are made to the values in insertion order. Positions count from 1 in the segment; `number` is what stands
there where the values are numbers from 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.keys import Keyspace

if TYPE_CHECKING:
    import redis

COUNT = 2_500
NEW = b"none of them"


@dataclass(frozen=True)
class Change:
    """One change, and what is wrong then.

    Attributes:
        found: Which of the segment's values stands at the position, or the value itself; None where the list ends.
    """

    name: str
    make: Callable[[list[bytes]], list[bytes]]
    kind: str
    position: int
    found: int | bytes | None
    block: int
    blocks: int
    missing: int = 0
    doubled: int = 0
    foreign: int = 0
    out_of_order: int = 0

    def witness_of_numbers(self, segment: int) -> dict[str, Any]:
        """Return what `--json` says of numbers."""
        before = COUNT * (segment - 1)
        found = str(before + self.found) if isinstance(self.found, int) else self.found and self.found.decode()
        counts = {name: getattr(self, name) for name in ("missing", "doubled", "foreign", "out_of_order")}
        position = {"position": before + self.position, "expected": str(before + self.position)}
        where = {"block": self.block, "blocks": self.blocks}
        found = found.replace("?", str(before + self.position)) if found else found
        return {"kind": self.kind, "segment": segment, **position, "found": found, **counts, **where}

    def witness_of_lines(self, segment: int) -> dict[str, Any]:
        """Return what `--json` says of lines: which blocks differ."""
        kind = self.kind if self.kind in ("short", "long") else "changed"
        unknown = ("position", "expected", "found", "missing", "doubled", "foreign", "out_of_order")
        return {"kind": kind, "segment": segment, **dict.fromkeys(unknown), "block": self.block, "blocks": self.blocks}


def _replaced(values: list[bytes], places: dict[int, bytes]) -> list[bytes]:
    return [places.get(place, value) for place, value in enumerate(values, start=1)]


CHANGES = [
    Change("one changed", lambda v: _replaced(v, {1_700: NEW}), "changed", 1_700, NEW, 2, 1, missing=1, foreign=1),
    Change(
        "two swapped",
        lambda v: _replaced(v, {100: v[2_199], 2_200: v[99]}),
        *("order", 100, 2_200, 1, 2),
        out_of_order=2,
    ),
    Change("one lost", lambda v: v[:1_233] + v[1_234:], "short", 1_234, 1_235, 2, 2, missing=1),
    Change("one doubled", lambda v: v[:500] + v[499:], "long", 501, 500, 1, 3, doubled=1),
    Change("one inserted", lambda v: [*v[:2_000], NEW, *v[2_000:]], "long", 2_001, NEW, 3, 1, foreign=1),
    Change("a block lost", lambda v: v[:1_000] + v[2_000:], "short", 1_001, 2_001, 2, 2, missing=1_000),
    Change("reversed", lambda v: v[::-1], "order", 1, 2_500, 1, 3, out_of_order=2_500),
    Change(
        "a foreign list",
        lambda v: [b"f%d" % place for place in range(len(v))],
        *("foreign", 1, b"f0", 1, 3),
        missing=2_500,
        foreign=2_500,
    ),
    Change("truncated at the head", lambda v: v[:1_800], "short", 1_801, None, 2, 2, missing=700),
    Change("truncated at the tail", lambda v: v[300:], "short", 1, 301, 1, 3, missing=300),
    Change(
        "a space added", lambda v: _replaced(v, {43: v[42] + b" "}), "changed", 43, b"? ", 1, 1, missing=1, foreign=1
    ),
    Change("empty", lambda _: [], "short", 1, None, 1, 3, missing=2_500),
]


def change_list(client: redis.Redis, keys: Keyspace, segment: int, make: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change the list that is published as a segment, and nothing else."""
    key = keys.segment(segment)
    newest_first: Any = client.lrange(key, 0, -1)
    values = make(newest_first[::-1])
    with client.pipeline() as transaction:
        transaction.delete(key)
        if values:
            transaction.lpush(key, *values)
        transaction.execute()
