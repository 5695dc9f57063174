"""Verifies a segment, chunk by chunk: count, order and content, against what the signal announced. Pure."""

from __future__ import annotations

from hashlib import blake2b

from server_b.segment.chunks import Chunk
from shared.digest import DIGEST_BYTES, block_digest, blocks_of, combined_digest


class SegmentVerifier:
    """Takes a segment's chunks in the order of `chunks_by_block` and keeps one digest a block.

    Attributes:
        values: How many were taken.
    """

    def __init__(self, *, count: int, digest: str) -> None:
        """Expect a segment.

        Args:
            count: Values announced.
            digest: Digest announced, lower-case hex.
        """
        self._count = count
        self._announced = digest
        self._digests: list[bytes] = [b""] * blocks_of(count)
        self._block = blake2b(digest_size=DIGEST_BYTES)
        self._filled = 0
        self.values = 0

    def add(self, chunk: Chunk, values: list[bytes]) -> str:
        """Take a chunk's values, newest first, and reverse them in place.

        Returns:
            What is wrong with it, or an empty text; content is judged by `verdict` alone.
        """
        if len(values) != chunk.values:
            return f"short: {len(values)} values where {chunk.values} were announced"
        values.reverse()
        self.values += len(values)
        if chunk.ends_block and not self._filled:
            self._digests[chunk.block] = block_digest(b"\n".join(values))
        else:
            self._add_part(chunk, values)
        return ""

    def _add_part(self, chunk: Chunk, values: list[bytes]) -> None:
        if self._filled:
            self._block.update(b"\n")
        self._block.update(b"\n".join(values))
        self._filled += len(values)
        if chunk.ends_block:
            self._digests[chunk.block] = self._block.digest()
            self._block = blake2b(digest_size=DIGEST_BYTES)
            self._filled = 0

    def verdict(self) -> str:
        """Return what is wrong with the values taken, or an empty text when they are exactly those announced."""
        if self.values != self._count:
            return f"short: {self.values} values of {self._count}"
        found = combined_digest(self._digests).hex()
        if found != self._announced:
            return f"changed: digest {found} instead of {self._announced}"
        return ""
