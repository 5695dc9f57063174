"""Plain commands to a server, outside the product: what the topologies are built and looked at with."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from demo.servers import Server


def call(server: Server, *command: str | bytes | int) -> Any:
    """Send one command once, through the unix socket, and return the reply as RESP2 has it.

    Raises:
        redis.RedisError: The reply is an error, or none came.
    """
    with redis.Redis(unix_socket_path=str(server.socket_path), protocol=2, retry=Retry(NoBackoff(), 0)) as client:
        connection = client.connection_pool.get_connection()
        try:
            connection.send_command(*command)
            return connection.read_response(disable_decoding=True)
        finally:
            client.connection_pool.release(connection)


def is_primary(server: Server) -> bool:
    """Return whether a server is a primary; a Sentinel that promotes it cuts all its connections in the meantime."""
    try:
        return bool(call(server, "ROLE")[0] == b"master")
    except redis.ConnectionError:
        return False


def is_in_step(primary: Server, replica: Server, *, port: int = 0) -> bool:
    """Return whether a replica follows a primary, reached at a port, and has processed all that the primary has."""
    role = call(replica, "ROLE")
    expected = [port or primary.port, b"connected", call(primary, "ROLE")[1]]
    return bool(role[0] == b"slave" and role[2:] == expected)
