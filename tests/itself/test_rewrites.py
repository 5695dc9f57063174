"""The link rewrites the nth text, also when it comes in pieces: the tests of transactions rest on that."""

from __future__ import annotations

import socket

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink, resp

pytestmark = pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)


def _said(connection: socket.socket, line_count: int) -> list[bytes]:
    """Read so many lines of replies."""
    said = b""
    while said.count(b"\r\n") < line_count:
        said += connection.recv(4096)
    return said.splitlines()


@pytest.fixture
def connection(link: FaultyLink) -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", link.port), timeout=60)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # so that pieces stay pieces
    return opened


@pytest.mark.parametrize("piece_bytes", [1, 2, 7, 1_000])
def test_only_the_nth_is_rewritten_however_it_is_split(
    connection: socket.socket, link: FaultyLink, server: Server, keys: Keyspace, piece_bytes: int
) -> None:
    key = keys.user("1")
    link.rewrite(resp("INCRBY", key, "10"), resp("INCRBY", key, "1x"), nth=2)
    transaction = b"*1\r\n" + resp("MULTI") + 3 * (b"*3\r\n" + resp("INCRBY", key, "10")) + b"*1\r\n" + resp("EXEC")
    with connection:
        for start in range(0, len(transaction), piece_bytes):
            connection.sendall(transaction[start : start + piece_bytes])
        said = _said(connection, 8)
    assert said[:5] == [b"+OK", b"+QUEUED", b"+QUEUED", b"+QUEUED", b"*3"]
    assert (said[5], said[6][:4], said[7]) == (b":10", b"-ERR", b":20")


def test_an_act_can_aim_a_rewriting_at_its_own_request(
    connection: socket.socket, link: FaultyLink, server: Server, keys: Keyspace
) -> None:
    key = keys.user("1")
    link.at(resp("GET", key), lambda: link.rewrite(resp("INCR"), resp("DECR")))
    request = b"*2\r\n" + resp("INCR", key)
    with connection:
        connection.sendall(request)
        assert _said(connection, 1) == [b":1"]
        connection.sendall(b"*2\r\n" + resp("GET", key) + request + request)
        assert _said(connection, 4) == [b"$1", b"1", b":0", b":1"]


def test_what_was_never_rewritten_fails_the_test(server: Server) -> None:
    link = FaultyLink(server.port)
    link.rewrite(b"never", b"NEVER")
    with pytest.raises(AssertionError, match="rewrite of b'never'"):
        link.close()
    with pytest.raises(AssertionError, match="another length"):
        link.rewrite(b"long", b"longer")
