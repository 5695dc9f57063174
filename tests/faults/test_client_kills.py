"""CLIENT KILL of all clients again and again, while server-a writes and while server-b reads: the end is exact."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from tests.stage.command_link import CommandLink
from tests.stage.hand_over_in_process import HandOver, numbers, stored_values
from tests.stage.raw import call
from tests.stage.servers import connect

if TYPE_CHECKING:
    from shared.keys import Keyspace

COUNT, SEGMENT_VALUES, SEGMENTS = 90_000, 30_000, 3
KILLS = {"server-a": 30, "server-b": 6}  # server-b pauses longer after each cut of a reading


class KillingLink(CommandLink):
    """A link whose server kills all clients at every so many commands of a name."""

    def __init__(self, server: Server, command: str, *, every: int, most: int) -> None:
        """Open the link."""
        self._server, self._command, self._every, self._most = server, command, every, most
        self.kills = 0
        super().__init__(server.port)

    def seen(self, name: str, times: int) -> None:
        """Kill all clients when a command comes, unless there were enough."""
        if name == self._command and times % self._every == 0 and self.kills < self._most:
            self.kills += 1
            call(self._server, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@pytest.mark.parametrize("every", [1, 7])
def test_a_producer_whose_clients_are_killed_again_and_again(own_server: Server, keys: Keyspace, every: int) -> None:
    ends, most = HandOver(own_server.url, keys), KILLS["server-a"]
    with KillingLink(own_server, "LPUSHX", every=every, most=most) as link, connect(own_server) as client:
        summary = ends.produce(url=link.url, count=COUNT, segment_values=SEGMENT_VALUES, patience_s=30.0)
        assert stored_values(client, keys, SEGMENTS) == numbers(COUNT)
    assert link.kills == most
    assert summary.attempts > SEGMENTS
    assert ends.consume().verdict == "verified"


@pytest.mark.parametrize(("command", "every"), [("LRANGE", 5), ("HMGET", 2)])
def test_a_consumer_whose_clients_are_killed_again_and_again(
    own_server: Server, keys: Keyspace, command: str, every: int
) -> None:
    ends, most = HandOver(own_server.url, keys), KILLS["server-b"]
    summary = ends.produce(count=COUNT, segment_values=SEGMENT_VALUES)
    with KillingLink(own_server, command, every=every, most=most) as link:
        report = ends.consume(url=link.url, wait_s=30.0)
    assert link.kills == most
    assert (report.verdict, report.digest, len(ends.reports)) == ("verified", summary.digest, 1)
    assert report.outages > 0
