"""A server that gives every command the same reply, as a proxy does that knows none, or sends back what came."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

_COMMANDS = re.compile(rb"(?:\A|\r\n)\*[0-9]+(?=\r\n\$)")


class AnswersAlike:
    """Answers each command with the same bytes, or with what is made of what came, on as many connections as come.

    Attributes:
        port: On 127.0.0.1.
    """

    def __init__(self, reply: bytes | Callable[[bytes], bytes]) -> None:
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
    reply: bytes | Callable[[bytes], bytes] = b""


class _Handler(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        """Answer until the client closes."""
        while received := self.request.recv(1 << 20):
            reply = self.server.reply
            said = reply if isinstance(reply, bytes) else reply(received)
            self.request.sendall(said * len(_COMMANDS.findall(received)))
