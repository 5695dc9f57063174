"""A proxy that loses a reply: the server has done what was asked, and whoever asked never hears of it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class ReplyLosingProxy:
    """A proxy for one address that passes everything on, until it drops the reply to the first EXEC and hangs up."""

    def __init__(self, port: int) -> None:
        """Listen on a port of our own for a server on this host."""
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self.executions = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                inside, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(inside,), daemon=True).start()

    def _pass_on(self, inside: socket.socket) -> None:
        with inside, socket.create_connection(("127.0.0.1", self._server_port)) as outside, suppress(OSError):
            while request := inside.recv(65536):
                outside.sendall(request)
                reply = outside.recv(65536)
                if b"EXEC" in request:
                    self.executions += 1
                    return
                inside.sendall(reply)
