"""What a run writes into Redis, by kind of key: how many keys, and about how many bytes.

Computed from the definitions of what is written, so that it can't say something else than the run does: records are
built as the run builds them, those of a large shop a hundred of each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from server_a.run.values import ValueSource
from server_a.shop.sample import sample_cart, sample_name, sample_sku
from shared.check.findings import WrittenKeys
from shared.check.sizes import Sizes
from shared.digest import BLOCK_VALUES, DIGEST_BYTES
from shared.keys import Keyspace
from shared.record import MAX_POINTS, RunRecord, signal_field
from shared.segments import SegmentRange
from shared.shop.records import User
from shared.signal import Signal
from shared.state import SegmentState

_SHOP_SAMPLE = 100
_SIGNAL_ID = "1732658400123-0"  # stands for any
_TOKEN = "t" * 26
_DIGEST = "0" * 2 * DIGEST_BYTES
_POINT_BYTES = 24  # of one of the record's samples
_VALUES_A_POINT = 100_000  # about, at the speed of a server beside us


@dataclass(frozen=True)
class ShopKind:
    """The users, SKUs or carts of a run."""

    kind: str
    count: int
    key: Callable[[int], str]  # of the record of a number, from 1
    fields: Callable[[int], dict[str, str | bytes | int]]

    def numbers(self, most: int) -> Iterator[int]:
        """Yield at most so many numbers of the records, evenly spread."""
        yield from range(1, self.count + 1, max(1, -(-self.count // most)))

    def record_bytes(self, sizes: Sizes) -> float:
        """Return about how many bytes a record takes."""
        found = [sizes.hash_bytes(self.key(number), self.fields(number)) for number in self.numbers(_SHOP_SAMPLE)]
        return sum(found) / len(found) if found else 0.0


def shop_kinds(keys: Keyspace, record: RunRecord) -> list[ShopKind]:
    """Return what a run writes of the shop."""
    seed, skus = record.seed, record.skus
    return [
        ShopKind("user", record.users, lambda n: keys.user(str(n)), lambda n: {**_name(seed, n)}),
        ShopKind(
            "sku", skus, lambda n: keys.sku(sample_sku(seed, n).sku_id), lambda n: {**sample_sku(seed, n).encode()}
        ),
        ShopKind("cart", record.carts, lambda n: keys.cart(str(n)), lambda n: {**sample_cart(seed, n, skus=skus)}),
    ]


def _name(seed: int, number: int) -> dict[str, str]:
    return User("", *sample_name(seed, number)).encode()


def segment_bytes(keys: Keyspace, source: ValueSource, segment: SegmentRange, sizes: Sizes) -> tuple[int, int]:
    """Return about how many bytes a segment's list and its state take."""
    key = keys.segment(segment.number)
    size = sizes.list_bytes(key, source.elements_bytes(segment), count=segment.count)
    return size, _state_bytes(segment.count, sizes) + len(keys.state(key))


@cache  # all segments of a run but the last have the same count
def _state_bytes(count: int, sizes: Sizes) -> int:
    """Return about how many bytes the state of a segment of so many values takes, without the name of its key."""
    fields: dict[str, str | bytes | int] = {**SegmentState(_TOKEN, _TOKEN, count, _DIGEST).encode()}
    return sizes.hash_bytes("", {**fields, "blocks": bytes(DIGEST_BYTES * -(-count // BLOCK_VALUES))})


def bookkeeping_bytes(keys: Keyspace, record: RunRecord, sizes: Sizes) -> tuple[int, int]:
    """Return about how many bytes a run's record and its signals take."""
    points = min(MAX_POINTS, 2 + record.count // _VALUES_A_POINT)
    notes: dict[str, str | bytes | int] = {"published": record.segments, "finished_ms": 10**12, "outages": "[]"}
    notes["samples"] = bytes(_POINT_BYTES * points)
    notes |= {signal_field(number): _SIGNAL_ID for number in range(1, record.segments + 1)}
    signal = Signal(record.run_id, record.run_id, record.segments, record.segments, record.segment_values, _DIGEST)
    size = sizes.stream_bytes(keys.signals(), signal.encode(), count=record.segments)
    return sizes.hash_bytes(keys.run(record.run_id), {**record.encode(), **notes}), size


def written(keys: Keyspace, record: RunRecord, source: ValueSource, sizes: Sizes) -> list[WrittenKeys]:
    """Return what a run writes, by kind, in the order in which it is written."""
    ranges = [record.range_of(number) for number in range(1, record.segments + 1)]
    lists, states = zip(*(segment_bytes(keys, source, part, sizes) for part in ranges), strict=True)
    shop = [
        WrittenKeys(each.kind, each.count, round(each.record_bytes(sizes) * each.count))
        for each in shop_kinds(keys, record)
    ]
    run, signals = bookkeeping_bytes(keys, record, sizes)
    return [
        WrittenKeys("run", 1, run),
        *shop,
        WrittenKeys("segment", len(lists), sum(lists)),
        WrittenKeys("state", len(states), sum(states)),
        WrittenKeys("signals", 1, signals),
    ]
