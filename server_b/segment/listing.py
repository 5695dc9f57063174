"""Reads a published list again in the order of insertion, to say what is wrong with it.

A second reading was preferred to keeping what the first one finds: that reads in reverse and at full speed, and nearly
always there is nothing to say. It is watched like the first one, so that it tells of one list, not of two.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from server_b.segment.chunks import ChunkSize, chunks_from_tail
from server_b.segment.cut_reading import begun_again
from server_b.segment.reader import SegmentReader
from shared.digest import DIGEST_BYTES, blocks_of, combined_digest
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.reply_shapes import is_texts
from shared.errors import SegmentChangedError
from shared.keys import Keyspace
from shared.signal import Signal

STEADY_BYTES = 512 * 1024  # of a transaction: over a slow link the connection would be silent while a longer one comes
MAX_TIMES_LONGER = 2  # a list that is longer than that is read no further


@dataclass
class Listing:
    """A list as a signal announced it, and as it is.

    Attributes:
        length: Its elements, as a reading has just found.
    """

    endpoint: Endpoint
    keys: Keyspace
    signal: Signal
    size: ChunkSize
    length: int

    @property
    def key(self) -> str:
        """The list's name."""
        return self.keys.segment(self.signal.segment)

    @property
    def listed(self) -> int:
        """How many of its values are read."""
        return min(self.length, MAX_TIMES_LONGER * self.signal.count + 1_000)

    def values(self) -> Iterator[list[bytes]]:
        """Yield the list's values in insertion order, in portions none of which crosses a block of 1,000.

        Raises:
            SegmentChangedError: It was replaced or changed meanwhile.
            TransientError: The connection was lost.
            WrongKeyError: The key holds no list any more.

        Redis: as `SegmentReader`.
        """
        return begun_again(self.endpoint, self.key, self._values)

    def _values(self) -> Iterator[list[bytes]]:
        key, length = self.key, self.length
        expected = (self.signal.run_id.encode(), self.signal.attempt.encode())
        with closing(SegmentReader(self.endpoint, self.keys, key, expected=expected)) as reader:
            size = self.size.within(min(reader.most, STEADY_BYTES))
            chunks = chunks_from_tail(length, values=self.listed, chunk_values=size.values)
            opening = reader.open(chunks, count=self.listed, size=size)
            if opening.length != length:
                raise SegmentChangedError(where=key, expected=f"{length} values", got=f"{opening.length}")
            for chunk, values in reader.read():
                if not is_texts(values):
                    raise reader.strange_values()
                if len(values) != chunk.values:
                    raise SegmentChangedError(where=key, expected="a list at rest", got="one that became shorter")
                values.reverse()
                yield values
            reader.require_untouched(length)

    def announced_blocks(self) -> bytes | None:
        """Return the raw digests of the blocks as they were written, concatenated; None unless they can be believed.

        That is, if the state names the signal's run and attempt, and they give the signal's digest.

        Redis: HMGET, whose reply has 16 bytes for each block of 1,000 values.
        """
        state_key = self.keys.state(self.key)
        asked = ["run_id", "attempt", "blocks"]
        run_id, attempt, blocks = self.endpoint.at(state_key).hmget(state_key, asked)
        announced = [self.signal.run_id.encode(), self.signal.attempt.encode()]
        if [run_id, attempt] != announced or not isinstance(blocks, bytes):
            return None
        is_whole = len(blocks) == blocks_of(self.signal.count) * DIGEST_BYTES
        return blocks if is_whole and combined_digest([blocks]).hex() == self.signal.digest else None
