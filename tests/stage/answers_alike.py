"""A server that gives every command the same reply, as a proxy does that knows none of them."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from types import TracebackType
from typing import Self

_COMMANDS = re.compile(rb"(?:\A|\r\n)\*[0-9]+(?=\r\n\$)")


class AnswersAlike:
    """Answers each command with the same bytes, on as many connections as come.

    Attributes:
        port: On 127.0.0.1.
    """

    def __init__(self, reply: bytes) -> None:
        """Listen."""
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.reply = reply
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    reply = b""


class _Handler(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        """Answer until the client closes."""
        while received := self.request.recv(1 << 20):
            self.request.sendall(self.server.reply * len(_COMMANDS.findall(received)))
