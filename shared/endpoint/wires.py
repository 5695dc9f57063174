"""One wire for each server of an endpoint, opened when first needed and again after a fault.

A fault is never hidden: the command that met it fails, and only the next one gets a new connection. Whether a command
may be repeated is for the caller to know, who then goes through `PatientWires`.
"""

from __future__ import annotations

import time

from shared.endpoint.client import Endpoint
from shared.endpoint.patience import Patience
from shared.endpoint.wire import Reply, Wire
from shared.errors import HandoverError

RENEW_AFTER_S = 600.0


class Wires:
    """The open wires of one endpoint, by server.

    One older than ten minutes is opened anew before its next use, when nothing is in flight on it: a token that a
    connection was opened with ends sooner or later, and its server then cuts the connection.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        """Start without a connection."""
        self._endpoint = endpoint
        self._by_node: dict[str, Wire] = {}
        self._opened_at: dict[str, float] = {}

    def of(self, key: str) -> Wire:
        """Return an open wire to the server that holds a key; use it to an end before asking again.

        Raises:
            ConnectionLostError: It can't be opened now.
        """
        node = self._endpoint.node_of(key)
        wire = self._by_node.get(node)
        if wire is not None and time.monotonic() - self._opened_at[node] > RENEW_AFTER_S:
            wire.close()
        if wire is None or not wire.is_open:
            wire = self._by_node[node] = self._endpoint.wire(key)
            self._opened_at[node] = time.monotonic()
        return wire

    def call(self, name: str, key: str, *arguments: str | bytes | int) -> Reply:
        """Send one command once, to the server that holds its key, and return the reply."""
        return self.of(key).call(name, key, *arguments)

    def drop(self, key: str) -> None:
        """Close the wire to the server that holds a key; replies still under way are thrown away with it."""
        try:
            wire = self._by_node.pop(self._endpoint.node_of(key), None)
        except HandoverError:  # nobody knows any more whose slot it is
            self.close()
            return
        if wire is not None:
            wire.close()

    def close(self) -> None:
        """Close all wires."""
        for wire in self._by_node.values():
            wire.close()
        self._by_node.clear()


class PatientWires(Wires):
    """Wires that also offer to repeat a command through outages, for commands that bear it."""

    def __init__(self, endpoint: Endpoint, patience: Patience) -> None:
        """Start without a connection, with the patience that all commands share."""
        super().__init__(endpoint)
        self.patience = patience

    def repeat(self, name: str, key: str, *arguments: str | bytes | int) -> Reply:
        """Send a command, again after each transient fault, until a reply comes.

        Raises:
            EndpointUnreachableError: Nobody answered for as long as patience lasts.
            NotFinishedError: A stop was requested, or the server answered but was not ready for as long.
        """
        return self.patience.keep_trying(lambda: self.call(name, key, *arguments))

    def repeat_transaction(self, key: str, *commands: tuple[str | bytes | int, ...]) -> list[Reply]:
        """Send commands on keys of one slot as one transaction, again after each transient fault, until it is done."""
        return self.patience.keep_trying(lambda: self.of(key).transaction(*commands)) or []
