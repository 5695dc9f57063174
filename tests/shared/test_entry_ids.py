"""Ids of entries: which a server takes, and which comes first."""

from __future__ import annotations

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from shared.entry_ids import MOST_OF_A_PART, is_entry_id, order_of
from shared.keys import Keyspace
from shared.record import decode_entry_id

PARTS = st.integers(0, MOST_OF_A_PART)


@given(PARTS, PARTS)
def test_a_record_keeps_whatever_id_a_server_gives(milliseconds: int, sequence: int) -> None:
    text = f"{milliseconds}-{sequence}"
    assert is_entry_id(text.encode())
    assert decode_entry_id(text.encode()) == text


@pytest.mark.parametrize("raw", [b"", b"1", b"1-", b"-1", b"1-1\n", b"1-1-1", b"1-%d" % 2**64, b"%d-1" % 2**64])
def test_what_no_server_takes_is_no_id(raw: bytes) -> None:
    assert not is_entry_id(raw)
    assert decode_entry_id(raw) == ""


@given(*[PARTS] * 4)
def test_ids_are_ordered_as_the_server_does(a: int, b: int, c: int, d: int) -> None:
    assert (order_of(f"{a}-{b}") < order_of(f"{c}-{d}")) == ((a, b) < (c, d))


def test_an_id_without_a_sequence_is_the_first_of_its_millisecond() -> None:
    assert order_of("5") == order_of("5-0")


def test_the_server_takes_the_largest_id_and_no_larger_one(client: redis.Redis, keys: Keyspace) -> None:
    most = f"{MOST_OF_A_PART}-{MOST_OF_A_PART}"
    assert client.xadd(keys.signals(), {"a": "b"}, id=most) == most.encode()
    for entry_id in (f"{2**64}-0", f"1-{2**64}"):
        with pytest.raises(redis.ResponseError, match="Invalid stream ID"):
            client.xrange(keys.signals(), entry_id)
