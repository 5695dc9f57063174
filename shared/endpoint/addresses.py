"""Which of a name's addresses is tried first: one that was silent comes last from then on.

A firewall that drops packets costs the whole connect timeout. redis-py tries the addresses in the order of the name
service for each connection anew, so a silent first one, often IPv6, cost 5 s a connection. Remembering the address
that answered, and not asking for the name again, was rejected: services fail over by changing what their name means.
"""

from __future__ import annotations

import socket

import redis

_silent: set[tuple[str, str]] = set()  # names and those of their addresses that did not answer in time


class AddressConnection(redis.Connection):
    """A connection that tries addresses last that were silent before, whichever connection found that out."""

    def _connect(self) -> socket.socket:
        """Return a connected socket; raise the last address's error if none can be reached."""
        name = str(self.host)
        found = socket.getaddrinfo(name, self.port, self.socket_type, socket.SOCK_STREAM)
        addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
        failed: OSError = OSError("the name has no address")
        for address in sorted(addresses, key=lambda address: (name, address) in _silent):
            self.host = address  # redis-py's own look-up of an address asks nobody
            try:
                connected: socket.socket = super()._connect()  # type: ignore[no-untyped-call]
            except OSError as error:
                failed = error
                if isinstance(error, TimeoutError):
                    _silent.add((name, address))
            else:
                _silent.discard((name, address))
                return connected
            finally:
                self.host = name  # by which the certificate is verified
        raise failed
