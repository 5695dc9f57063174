"""How much the contests over links move, and what is made beforehand of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.product import KEYS
from bench.raw import Request, hash_requests, push_requests, read_requests
from server_a.shop.sample import sample_name
from shared.segments import SegmentRange, segment_range, segments_of
from shared.shop.records import User

_KNUTH = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Cut:
    """The numbers 1 to `count`, cut into so many segments of equal size."""

    count: int
    segments: int

    @property
    def segment_values(self) -> int:
        """Values a segment."""
        return -(-self.count // self.segments)

    def ranges(self) -> list[SegmentRange]:
        """Return the ranges of its segments."""
        numbers = range(1, segments_of(self.count, self.segment_values) + 1)
        return [segment_range(n, count=self.count, segment_values=self.segment_values) for n in numbers]

    def pushes(self) -> list[Request]:
        """Return the LPUSHes that write it."""
        return [push for r in self.ranges() for push in self.pushes_of(r)]

    def pushes_of(self, segment: SegmentRange) -> list[Request]:
        """Return the LPUSHes that write one of its segments."""
        return push_requests(KEYS.segment(segment.number), segment.first + 1, segment.first + segment.count + 1)

    def reads(self) -> list[Request]:
        """Return the LRANGEs that read it from the heads of its lists."""
        ranges = self.ranges()
        return [q for r in ranges for q in read_requests(KEYS.segment(r.number), r.first + 1, r.first + r.count + 1)]


def user_requests(users: int) -> list[Request]:
    """Return the HSETs of the sample's first users."""
    shop = (User(str(number), *sample_name(1, number)) for number in range(1, users + 1))
    return hash_requests(
        ["HSET", KEYS.user(user.user_id), *(part for pair in user.encode().items() for part in pair)] for user in shop
    )


def sample_lines(count: int) -> Iterator[bytes]:
    """Yield lines of 6 to 12 bytes that look random and are the same each time."""
    for number in range(1, count + 1):
        yield (b"%012x" % (number * _KNUTH % 2**48))[: 6 + number % 7]
