"""A server that cuts clients which ask for more than it wants to keep for them (`client-output-buffer-limit`)."""

from __future__ import annotations

from pathlib import Path

import redis

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.hand_over_in_process import HandOver


def test_a_reader_that_is_cut_for_asking_far_ahead_asks_for_less_until_it_gets_through(
    own_server: Server, keys: Keyspace, tmp_path: Path
) -> None:
    """Lines of 2 KB: a chunk would be 2 MB, so half a MiB is asked for at once; the limit is less than that."""
    file = tmp_path / "lines"
    file.write_text("".join(f"{number:06}{'x' * 2_042}\n" for number in range(10_000)))
    hand_over = HandOver(own_server.url, keys)
    summary = hand_over.produce(values=str(file))
    with redis.Redis.from_url(own_server.url) as client:
        client.config_set("client-output-buffer-limit", "normal 300kb 0 0")
    report = hand_over.consume(max_deliveries=1)
    assert (report.verdict, report.digest) == ("verified", summary.digest)
    assert "endpoint lost, trying again" in hand_over.events()
