"""`server-b page --peer-url`: A's endpoint is shown, and never in the way."""

from __future__ import annotations

import pytest

from demo.servers import Server
from tests.stage.hand_over_in_process import HandOver
from tests.stage.page_process import Serve
from tests.stage.servers import Kind, NewServer, connect
from tests.stage.waiting import wait_until

pytestmark = pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)


def test_the_peer_is_shown(hand_over: HandOver, serve: Serve, server: Server) -> None:
    hand_over.produce(count=10)
    assert "Away:" not in serve("--peer-url", server.url).tab().until("Redis at A&#39;s URL")


def test_a_peer_that_does_not_answer_is_told_and_holds_nothing_back(
    hand_over: HandOver, serve: Serve, new_server: NewServer, server_kind: Kind
) -> None:
    peer = new_server(server_kind)
    peer.pause()
    tab = serve("--peer-url", peer.url).tab()
    hand_over.produce(count=10)
    hand_over.consume()
    tab.until("complete, in order and once")
    assert "Timeout" in tab.until("<b>Away:</b> it has not answered for ")
    peer.resume()
    assert f"127.0.0.1:{peer.port}" in tab.until("clocks agree")


def test_a_peer_is_asked_over_one_connection(
    hand_over: HandOver, serve: Serve, new_server: NewServer, server_kind: Kind
) -> None:
    peer = new_server(server_kind)
    page = serve("--peer-url", peer.url)
    hand_over.produce(count=10)
    page.tab().until("clocks agree")
    with connect(peer) as client:
        before = client.info("stats")["total_connections_received"]
        asked = client.info("commandstats")["cmdstat_time"]["calls"]
        wait_until(
            lambda: client.info("commandstats")["cmdstat_time"]["calls"] >= asked + 6,
            description="it was asked twice more",
            timeout_s=60,
        )
        assert client.info("stats")["total_connections_received"] == before
