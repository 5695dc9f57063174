"""A name with a silent address: it is waited for once, not for each connection."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from demo.servers import Server
from shared.endpoint import pools
from shared.endpoint.addresses import AddressConnection
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import EndpointUnreachableError
from tests.stage.certificates import Authority
from tests.stage.hand_over_in_process import HandOver
from tests.stage.servers import NewServer

SILENT, REFUSING, ANSWERING = "127.0.0.2", "127.0.0.3", "127.0.0.1"
Named = Callable[..., list[str]]


@pytest.fixture
def silent_port(server: Server) -> Iterator[int]:
    """The server's port; at another address of this host, a listener there whose queue is full drops whoever comes."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((SILENT, server.port), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield server.port


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Named:
    """Give a name of the test's own addresses; return the list of all that is connected to from then on."""
    real, real_connect = socket.getaddrinfo, socket.socket.connect
    addresses: dict[str, tuple[str, ...]] = {}

    def look_up(host: str, port: int, *rest: Any) -> list[Any]:
        return [entry for address in addresses.get(host, (host,)) for entry in real(address, port, *rest)]

    def name(host: str, *of_host: str) -> list[str]:
        addresses[host] = of_host
        tried: list[str] = []

        class Noting(socket.socket):
            def connect(self, address: Any) -> None:
                tried.append(address[0])
                real_connect(self, address)

        monkeypatch.setattr(socket, "socket", Noting)
        return tried

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(pools, "CONNECT_TIMEOUT_S", 0.3)
    return name


def _name() -> str:
    return f"h{os.urandom(6).hex()}.example"  # what is known of a name outlives a test


def test_a_silent_first_address_is_tried_once(
    server: Server, silent_port: int, named: Named, hand_over: HandOver
) -> None:
    host = _name()
    tried = named(host, SILENT, ANSWERING)
    url = f"redis://{host}:{silent_port}/0"
    hand_over.produce(url=url, count=3_000, segment_values=1_000)
    assert hand_over.consume(url=url).verdict == "verified"
    assert tried.count(SILENT) == 1
    assert tried.count(ANSWERING) > 3


def test_a_refusing_first_address_costs_nothing_and_stays_first(server: Server, named: Named) -> None:
    """It may be back with the next connection, as after a restart."""
    host = _name()
    tried = named(host, REFUSING, ANSWERING)
    with closing(open_endpoint(EndpointSettings(url=parse_url(f"redis://{host}:{server.port}/0")))) as endpoint:
        endpoint.refresh()
        endpoint.at("x").exists("x")
    assert tried[:2] == [REFUSING, ANSWERING]
    assert tried.count(REFUSING) == tried.count(ANSWERING)


def test_a_silent_address_is_tried_when_no_other_answers(silent_port: int, named: Named) -> None:
    host = _name()
    tried = named(host, SILENT, REFUSING)
    for _ in range(2):
        with pytest.raises(EndpointUnreachableError):
            open_endpoint(EndpointSettings(url=parse_url(f"redis://{host}:{silent_port}/0")))
    assert tried.count(SILENT) == tried.count(REFUSING) == 2


def test_a_name_that_means_another_server_meanwhile_is_followed(server: Server, silent_port: int, named: Named) -> None:
    host = _name()
    named(host, SILENT, ANSWERING)
    with closing(open_endpoint(EndpointSettings(url=parse_url(f"redis://{host}:{silent_port}/0")))) as endpoint:
        tried = named(host, REFUSING)
        endpoint.refresh()
        with pytest.raises(Exception, match="refused"):
            endpoint.at("x").exists("x")
        assert set(tried) == {REFUSING}


@pytest.mark.redis_server
def test_a_certificate_is_verified_by_the_name(
    new_server: NewServer, named: Named, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = _name()
    named(host, REFUSING, ANSWERING)
    monkeypatch.setattr(pools, "CONNECT_TIMEOUT_S", 60.0)  # none is silent, and a handshake takes its time
    right = new_server("redis7", *authority.directives(authority.issue("right", host)), tls=True)
    settings = EndpointSettings(url=parse_url(f"rediss://{host}:{right.port}/0"), tls_ca=str(authority.file))
    with closing(open_endpoint(settings)) as endpoint:
        assert not endpoint.at("x").exists("x")


def test_each_kind_of_connection_does_so() -> None:
    for kind in (pools.TlsConnection, pools.SentinelConnection, pools.TlsSentinelConnection):
        assert issubclass(kind, AddressConnection)
