"""Deliveries that end for reasons which say nothing about the entry: they don't count, whatever ends them.

After one end more than an entry may have deliveries the run is verified all the same, without dead letters.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from demo.servers import Server
from server_b import lease, serving
from server_b.group.dead_letters import DeadLetters
from server_b.settings import ConsumerSettings
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import HandoverError, NotAllowedError, NotFinishedError
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP
from tests.stage.check_runs import user_url
from tests.stage.faulty_link import FaultyLink, resp
from tests.stage.hand_over_in_process import HandOver
from tests.stage.servers import connect

ENDS = ConsumerSettings(consumer="").max_deliveries + 1
NO_ROOM, ROOM = 1, 0  # bytes of maxmemory; 0 is no limit


@pytest.fixture
def own_hand_over(own_server: Server, keys: Keyspace) -> HandOver:
    """Both ends on a server of the test's own."""
    return HandOver(own_server.url, keys)


@pytest.fixture
def given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer that gives up at the second fault of an entry, and not only after a minute."""
    monkeypatch.setattr(serving, "MAX_FAULTS", 2)
    monkeypatch.setattr(serving, "MAX_FAULTS_S", 0.0)


def _set_memory(server: Server, max_bytes: int) -> None:
    with connect(server) as client:
        client.config_set("maxmemory", max_bytes)


def _meet_a_full_server(hand_over: HandOver, server: Server, **options: Any) -> None:
    """Consume over a link on which the room goes as the first entry is asked for, and make room when that has ended."""
    with FaultyLink(server.port) as link:
        link.at(resp("XREADGROUP"), lambda: _set_memory(server, NO_ROOM))
        with pytest.raises(NotFinishedError, match="a full server; free memory or raise maxmemory"):
            hand_over.consume(url=link.url, wait_s=60.0, **options)
    _set_memory(server, ROOM)


def _deliveries(server: Server, keys: Keyspace) -> list[int]:
    with connect(server) as client:
        found: Any = client.xpending_range(keys.signals(), CONSUMER_GROUP, "-", "+", 100)
        return [entry["times_delivered"] for entry in found]


def _letters(server: Server, keys: Keyspace) -> int:
    with closing(open_endpoint(EndpointSettings(url=parse_url(server.url)))) as endpoint:
        return len(list(DeadLetters(endpoint, keys).list_letters()))


@pytest.mark.usefixtures("given_up_soon")
def test_a_full_server_makes_no_list_fail(own_hand_over: HandOver, own_server: Server, keys: Keyspace) -> None:
    summary = own_hand_over.produce(count=1_000)
    for _ in range(ENDS):
        _meet_a_full_server(own_hand_over, own_server)
        assert _deliveries(own_server, keys) == [0]
    report = own_hand_over.consume()
    assert (report.run_id, report.verdict, _letters(own_server, keys)) == (summary.run_id, "verified", 0)


@pytest.mark.usefixtures("given_up_soon")
def test_a_full_server_counts_no_delivery_to_a_name_that_was_given(
    own_hand_over: HandOver, own_server: Server, keys: Keyspace
) -> None:
    """Its token can't be renewed there, for that needs memory."""
    summary = own_hand_over.produce(count=1_000)
    _meet_a_full_server(own_hand_over, own_server, name_token="0123456789abcdef")
    assert _deliveries(own_server, keys) == [0]
    assert own_hand_over.consume(consumer="c").run_id == summary.run_id


def test_a_consumer_waits_for_room_as_for_a_server_that_is_away(
    own_hand_over: HandOver, own_server: Server, keys: Keyspace
) -> None:
    """There is room again after two faults: it asks for entries twice before the first, and once before each other."""
    summary = own_hand_over.produce(count=1_000)
    with FaultyLink(own_server.port) as link:
        link.at(resp("HSET", keys.result(summary.run_id)), lambda: _set_memory(own_server, NO_ROOM))
        link.at(resp("XREADGROUP"), lambda: _set_memory(own_server, ROOM), nth=4)
        report = own_hand_over.consume(url=link.url, wait_s=60.0)
    assert (report.run_id, report.verdict, len(own_hand_over.reports)) == (summary.run_id, "verified", 1)


@pytest.mark.parametrize(
    "refused",
    [
        "time", "hmget", "hget", "hscan", "hset", "hlen", "pexpire", "watch", "multi", "exec", "llen", "lrange", "xack",
        "xreadgroup", "xautoclaim",
    ],
)  # fmt: skip
def test_a_missing_permission_makes_no_list_fail(
    refused: str, own_hand_over: HandOver, own_server: Server, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease of no time at all is renewed at each look: then it is known at once that it can't be."""
    monkeypatch.setattr(lease, "BEAT_EVERY_S", 0.0)
    summary = own_hand_over.produce(count=2_000, segment_values=1_000)
    ends: list[HandoverError] = []
    for _ in range(ENDS):
        url = user_url(own_server, f"-{refused}")
        try:
            own_hand_over.consume(url=url, claim_idle_ms=0)
        except HandoverError as error:
            ends.append(error)
    assert {type(error) for error in ends} <= {NotAllowedError}
    report = own_hand_over.consume(claim_idle_ms=0)
    assert (report.run_id, report.verdict, _letters(own_server, keys)) == (summary.run_id, "verified", 0)
