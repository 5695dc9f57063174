"""Connections of the page: a served application whose clients send nothing, too little, or come in crowds."""

from __future__ import annotations

import resource
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from shared.page.live import connections
from shared.page.live.connections import BriefProtocol, most_connections
from tests.stage.waiting import wait_until

PATIENCE_S = 30.0
ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
Connect = Callable[[], socket.socket]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Serve one answer for everything, and connect to it."""
    opened = [socket.create_server(("127.0.0.1", 0))]
    config = uvicorn.Config(PlainTextResponse("here"), http=BriefProtocol, log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": opened[:1]})
    thread.start()
    address = opened[0].getsockname()

    def new() -> socket.socket:
        opened.append(socket.create_connection(address, timeout=PATIENCE_S))
        return opened[-1]

    yield new
    for each in opened[1:]:
        each.close()
    server.should_exit = True
    thread.join(PATIENCE_S)


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nX: ", ASK + b"GET / HTTP/1.1\r\n"])
def test_a_connection_on_which_no_whole_request_comes_is_closed(
    connect: Connect, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # longer than this thread, or the server's, may pause before it sends, or reads, what is to be answered
    monkeypatch.setattr(connections, "REQUEST_S", 5.0 if sent else 1.0)
    client = connect()
    client.sendall(sent)
    answer = _until_closed(client)
    assert answer.count(b"200 OK") == sent.count(ASK)


def test_whoever_asks_is_answered_again_and_again(connect: Connect) -> None:
    client = connect()
    for _ in range(3):
        assert _answer(client).endswith(b"here")


def test_of_a_crowd_only_so_many_are_kept(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "most_connections", lambda: 2)
    kept = [connect(), connect()]
    assert _until_closed(connect()) == b""
    assert _answer(kept[1]).endswith(b"here")
    kept[0].close()
    wait_until(lambda: _answer(connect()).endswith(b"here"), description="room for another one")


@pytest.mark.parametrize(("descriptors", "most"), [(1_024, 500), (256, 128), (8, 16)])
def test_half_of_the_descriptors_are_left_to_others(
    descriptors: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (descriptors, descriptors))
    assert most_connections() == most


def _answer(client: socket.socket) -> bytes:
    found = b""
    try:
        client.sendall(ASK)
        while not found.endswith(b"here") and (piece := client.recv(1_000)):
            found += piece
    except ConnectionError:
        pass
    return found


def _until_closed(client: socket.socket) -> bytes:
    """Return what came until the connection was closed; TimeoutError where it is kept."""
    found = b""
    try:
        while piece := client.recv(1_000):
            found += piece
    except ConnectionError:
        pass
    return found
