"""What a server says to a connection beyond `maxclients` is read from that connection, whoever gives back another."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import RedisError

from demo.servers import Server
from shared.endpoint.addresses import AddressConnection
from shared.endpoint.pools import PoolMaker
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from tests.stage.servers import Kind, NewServer, connect

if TYPE_CHECKING:
    import redis


class AnsweredConnection(AddressConnection):
    """A connection that is not used before the server has said something of its own."""

    def connect(self) -> None:
        """Connect, and wait for that."""
        super().connect()  # type: ignore[no-untyped-call]
        select.select([self._sock], [], [])  # type: ignore[type-var]


@pytest.fixture
def server(new_server: NewServer, server_kind: Kind) -> Server:
    """A server of each kind in turn, of the test's own."""
    return new_server(server_kind)


@contextmanager
def _full(server: Server) -> Iterator[redis.ConnectionPool]:
    """Give a pool at a server that takes no more clients than its one connection, which is in use, and ours."""
    pool = PoolMaker(EndpointSettings(url=parse_url(server.url)), None).of_host("127.0.0.1", server.port)
    with connect(server) as admin:
        admin.ping()
        pool.get_connection()
        pool.connection_class = AnsweredConnection
        admin.config_set("maxclients", 2)
        yield pool
        admin.config_set("maxclients", 100)
    pool.disconnect()


def test_a_connection_that_another_thread_gives_back_meanwhile_is_left_alone(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _full(server) as pool:
        (good,) = pool._in_use_connections
        release = pool.release

        def release_both(connection: redis.Connection) -> None:
            release(connection)
            other = Thread(target=release, args=(good,))
            other.start()
            other.join()

        monkeypatch.setattr(pool, "release", release_both)
        with pytest.raises(RedisError, match="max number of clients reached"):
            pool.get_connection()
        monkeypatch.undo()
        assert good.is_connected
        assert not pool._in_use_connections
        assert len(pool._available_connections) == 2
        good.send_command("PING")
        assert good.read_response() == b"PONG", "nobody else has read its reply"
