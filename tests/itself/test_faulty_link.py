"""The faulty link finds a reply's text also where that comes in two pieces, as any text may over TCP."""

from __future__ import annotations

import socket

import pytest

from tests.stage.faulty_link import FaultyLink

TEXT = b"\r\n5000\r\n"


@pytest.mark.parametrize("first", range(len(TEXT) + 1))
def test_a_reply_in_two_pieces(first: int) -> None:
    """What came before has gone on by then, and nothing behind it."""
    gone: list[int] = []
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        FaultyLink(listener.getsockname()[1]) as link,
        socket.create_connection(("127.0.0.1", link.port)) as client,
        listener.accept()[0] as server,
    ):
        link.at_reply(TEXT, lambda: gone.append(link.pairs[0].carried["to_client"]))
        server.sendall(b"$4" + TEXT[:first])
        assert client.recv(2, socket.MSG_WAITALL) == b"$4"
        if first < len(TEXT):
            assert client.recv(first, socket.MSG_WAITALL) == TEXT[:first]
        server.sendall(TEXT[first:] + b"more")
        left = TEXT[first:] if first < len(TEXT) else TEXT
        assert client.recv(len(left) + 4, socket.MSG_WAITALL) == left + b"more"
    assert gone == [2 + first % len(TEXT)]
