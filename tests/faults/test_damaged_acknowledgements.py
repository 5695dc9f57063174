"""A byte is damaged on its way, so that an entry is not acknowledged though its verdict stands: nothing stays pending.

Neither where its consumer leaves after one run, nor where it serves on; the verdict is not given twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP
from tests.stage.command_link import CommandLink, Fault
from tests.stage.hand_over_in_process import Group, HandOver, entries_of, numbers, stored_values

if TYPE_CHECKING:
    import redis

Change = Callable[[bytes, list[bytes]], bytes]  # of a request or a reply; gets the ids of the entries too
CHANGES: dict[str, tuple[str, Fault, Change]] = {
    "id": ("XACK", "flipped", lambda data, ids: data.replace(ids[0], ids[0][:-1] + b"1")),
    "id of the next": ("XACK", "flipped", lambda data, ids: data.replace(ids[0], ids[1])),
    "group": ("XACK", "flipped", lambda data, _: data.replace(b"server-b", b"server-c")),
    "delivered id": ("XREADGROUP", "flipped reply", lambda data, ids: data.replace(ids[0], ids[0][:-1] + b"1")),
    "more at once": ("XREADGROUP", "flipped", lambda data, _: data.replace(b"COUNT\r\n$1\r\n1", b"COUNT\r\n$1\r\n3")),
}


class ChangingLink(CommandLink):
    """A link that changes one request or reply in the way that is wanted."""

    def __init__(self, server_port: int, change: Callable[[bytes], bytes]) -> None:
        """Open the link."""
        self._change = change
        self.is_changed = False
        super().__init__(server_port)

    def flipped(self, data: bytes) -> bytes:
        """Return it changed."""
        changed = self._change(data)
        self.is_changed = changed != data
        return changed


@pytest.mark.parametrize("options", [{}, {"name_token": "ab12"}], ids=["own name", "given name"])
@pytest.mark.parametrize("what", CHANGES)
def test_nothing_is_pending_when_its_consumer_has_left(
    *, what: str, options: dict[str, Any], server: Server, hand_over: HandOver, client: redis.Redis, keys: Keyspace,
    group: Group,
) -> None:  # fmt: skip
    command, fault, change = CHANGES[what]
    run_id = hand_over.produce(count=30, segment_values=10).run_id
    ids = [entry_id.encode() for entry_id, _ in entries_of(client, keys.signals())]
    with ChangingLink(server.port, lambda data: change(data, ids)) as link:
        link.strike(
            fault, command, 2 if command == "XREADGROUP" else 1, seed=""
        )  # the first looks for own pending ones
        report = hand_over.consume(url=link.url, run_id=run_id, claim_idle_ms=100, **options)
        assert link.is_changed
    assert report.verdict == "verified"
    assert stored_values(client, keys, 3) == numbers(30)
    assert group.pending() == {}
    assert client.hlen(keys.result(run_id)) == 3
    assert options or group.names() == set()


def test_what_has_no_verdict_stays_pending_as_it_was(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace, group: Group
) -> None:
    """A run of another list waits; its entry is taken with those of the run that is read, and left to be claimed."""
    hand_over.produce(count=30, segment_values=10)
    client.delete(keys.segment(1), keys.state(keys.segment(1)))
    with pytest.raises(Exception, match="complete run"):
        hand_over.consume(settle_s=60.0, wait_s=3.0, claim_idle_ms=5_000)
    found: Any = client.xpending_range(keys.signals(), CONSUMER_GROUP, "-", "+", 100)
    ((entry_id, deliveries, idle_ms),) = [
        (entry["message_id"].decode(), entry["times_delivered"], entry["time_since_delivered"]) for entry in found
    ]
    assert entry_id == entries_of(client, keys.signals())[0][0]
    assert deliveries == 0
    assert idle_ms >= 5_000
