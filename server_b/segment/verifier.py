"""Verifies a segment, chunk by chunk: count, order and content, against what the signal announced. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b

from server_b.segment.chunks import Chunk
from shared.digest import DIGEST_BYTES, block_digest, blocks_of, combined_digest


@dataclass
class SegmentVerifier:
    """Takes the chunks of a segment of this count and digest, in the order of `chunks_by_block`."""

    count: int
    digest: str
    values: int = field(init=False, default=0)
    value_bytes: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Start with the first block."""
        self._digests = [b""] * blocks_of(self.count)
        self._block = blake2b(digest_size=DIGEST_BYTES)
        self._filled = 0

    def add(self, chunk: Chunk, values: list[bytes]) -> str:
        """Take a chunk's values, newest first, and reverse them in place; return what is wrong with their number."""
        if len(values) != chunk.values:
            return f"short: {len(values)} values where {chunk.values} were announced"
        values.reverse()
        self.values += len(values)
        joined = b"\n".join(values)
        self.value_bytes += len(joined) - len(values) + 1 if values else 0  # without the newlines
        if chunk.ends_block and not self._filled:
            self._digests[chunk.block] = block_digest(joined)
            return ""
        self._block.update(b"\n" + joined if self._filled else joined)
        self._filled += len(values)
        if chunk.ends_block:
            self._digests[chunk.block] = self._block.digest()
            self._block, self._filled = blake2b(digest_size=DIGEST_BYTES), 0
        return ""

    def verdict(self) -> str:
        """Return what is wrong with the values taken, or an empty text when they are exactly those announced."""
        if self.values != self.count:
            return f"short: {self.values} values of {self.count}"
        found = combined_digest(self._digests).hex()
        return "" if found == self.digest else f"changed: digest {found} instead of {self.digest}"
