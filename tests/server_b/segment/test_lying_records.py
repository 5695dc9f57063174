"""A record that says that its values are shorter than they are: its list is read all the same, a few at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from server_b.segment.chunks import chunk_size
from shared.errors import VerificationFailedError
from shared.keys import Keyspace
from shared.record import chunk_field
from tests.stage.hand_over_in_process import HandOver

if TYPE_CHECKING:
    import redis

MIB = 1024 * 1024


def test_values_longer_than_the_record_says(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace, tmp_path: Path
) -> None:
    """40 MiB would come in one reply, which is more than any that is asked for."""
    (tmp_path / "values").write_bytes(b"".join(b"%d %b\n" % (number, b"x" * (MIB - 9)) for number in range(40)))
    summary = hand_over.produce(values=str(tmp_path / "values"))
    run_key = keys.run(summary.run_id)
    client.hset(run_key, "max_value_bytes", "1")
    client.hdel(run_key, chunk_field(1))
    report = hand_over.consume()
    assert (report.verdict, report.count, report.digest) == ("verified", 40, summary.digest)


def test_values_longer_than_any_that_a_run_writes(hand_over: HandOver, client: redis.Redis, keys: Keyspace) -> None:
    hand_over.produce(count=8)
    client.delete(keys.segment(1))
    for _ in range(8):
        client.lpush(keys.segment(1), b"x" * (9 * MIB))
    with pytest.raises(VerificationFailedError, match="values longer than any that a run writes"):
        hand_over.consume()


def test_without_a_record_any_value_of_a_run_fits() -> None:
    size = chunk_size(None)
    assert size.values * size.together * MIB <= 4 * MIB
