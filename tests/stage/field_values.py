"""Values of contract fields that are right, and ones that are wrong, with Hypothesis strategies for them."""

from __future__ import annotations

from hypothesis import strategies as st

from shared.tokens import make_token

RUN_ID = "20261122T205801123Z-3f9a1c"
ATTEMPT = "20261122T205801124Z-0a1b2c"
DIGEST = "97630108292763d6b16b693f7e36d0aa"

tokens = st.integers(0, 4_102_444_800_000).map(make_token)
digests = st.binary(min_size=16, max_size=16).map(bytes.hex)

NO_NUMBERS = [b"", b"0", b"-1", b"+1", b"1.0", b"1e3", b" 1", b"1\n", b"1_0", b"x", b"\xd9\xa3", b"\xff", b"9" * 19]
NO_TOKENS = [b"", b"x", RUN_ID.encode() + b"\n", RUN_ID.upper().encode(), b"20261322T205801123Z-3f9a1c", b"\xff" * 26]
NO_DIGESTS = [b"", b"x" * 32, DIGEST.upper().encode(), DIGEST[1:].encode(), DIGEST.encode() + b"0", b"\xff" * 32]


def raw_fields(fields: dict[str, str]) -> dict[bytes, bytes]:
    """Return fields as a server gives them back."""
    return {name.encode(): value.encode() for name, value in fields.items()}
