"""Digests of blocks, segments and runs.

A segment's digest is computed from the digests of its blocks, not from one stream of values: the consumer reads the
newest block first, so it digests blocks in any order and sorts the digests afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

BLOCK_VALUES = 1_000
DIGEST_BYTES = 16


def block_digest(joined_values: bytes) -> bytes:
    """Return the raw digest of one block's values in insertion order, joined by newline (values hold none)."""
    return blake2b(joined_values, digest_size=DIGEST_BYTES).digest()


class SegmentDigest:
    """The digest of one segment, from its values in insertion order, in pieces that don't cross a block's border."""

    def __init__(self) -> None:
        self.blocks = bytearray()  # raw digests of the blocks, concatenated; complete after `hexdigest`
        self._block = blake2b(digest_size=DIGEST_BYTES)
        self._filled = 0

    def add(self, joined_values: bytes, values: int) -> None:
        """Take the next values, joined by newline."""
        if self._filled:
            self._block.update(b"\n")
        self._block.update(joined_values)
        self._filled += values
        if self._filled == BLOCK_VALUES:
            self._end_block()

    def hexdigest(self) -> str:
        """Return the segment's digest in lower-case hex; nothing may be added afterwards."""
        if self._filled:
            self._end_block()
        return blake2b(self.blocks, digest_size=DIGEST_BYTES).hexdigest()

    def _end_block(self) -> None:
        self.blocks += self._block.digest()
        self._block = blake2b(digest_size=DIGEST_BYTES)
        self._filled = 0


def combined_digest(raw_digests: Iterable[bytes]) -> bytes:
    """Return the raw digest over raw digests: of a segment over its blocks, or of a run over its segments."""
    outer = blake2b(digest_size=DIGEST_BYTES)
    for raw in raw_digests:
        outer.update(raw)
    return outer.digest()


def run_digest(segment_digests_hex: Iterable[str]) -> str:
    """Return a run's digest in lower-case hex, from its segments' digests in lower-case hex, in order."""
    return combined_digest(bytes.fromhex(text) for text in segment_digests_hex).hex()


def blocks_of(count: int) -> int:
    """Return how many blocks a segment of `count` values has; the last one may be short."""
    return -(-count // BLOCK_VALUES)
