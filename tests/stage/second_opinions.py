"""What the product computes, computed without it: the values of a batch, the digest of a segment."""

from __future__ import annotations

from hashlib import blake2b

import hiredis

from server_a.run.values import Batch


def decode_bulk(batch: Batch) -> list[bytes]:
    """Return the values of a batch as a server would parse them, by a parser that is not ours."""
    reader = hiredis.Reader()
    reader.feed(b"*%d\r\n%b" % (batch.values, batch.bulk))
    values: list[bytes] = reader.gets()
    assert not reader.has_data()
    return values


def raw_digest(data: bytes) -> bytes:
    """BLAKE2b, 16 bytes."""
    return blake2b(data, digest_size=16).digest()


def naive_segment_digest(values: list[bytes]) -> str:
    """BLAKE2b over the digests of the blocks of 1,000 in insertion order, each over its values joined by newline."""
    blocks = [values[start : start + 1_000] for start in range(0, len(values), 1_000)]
    return raw_digest(b"".join(raw_digest(b"\n".join(block)) for block in blocks)).hex()
