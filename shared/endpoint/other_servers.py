"""What stands at a port where no Redis is: most often a web, mail or SSH server, which says what it is."""

from __future__ import annotations

import socket
from contextlib import suppress

_TIMEOUT_S = 1.0
_GREETINGS = (
    (b"HTTP/", "a web server"),
    (b"<!DOCTYPE", "a web server"),
    (b"<html", "a web server"),
    (b"SSH-", "an SSH server"),
    (b"220", "a mail or FTP server"),
    (b"421", "a mail or FTP server"),
    (b"554", "a mail server"),
    (b"+OK", "a mail server (POP3)"),
    (b"* OK", "a mail server (IMAP)"),
    (b"RFB ", "a VNC server"),
    (b"AMQP", "a message broker (AMQP)"),
    (b"ERROR\r\n", "a memcached server"),
)


def kind_of_other(host: tuple[str, int]) -> str:
    """Return what a server says that it is, by its greeting or its answer to a browser's question; else empty.

    Nothing secret is sent.
    """
    with suppress(OSError), socket.create_connection(host, _TIMEOUT_S) as connection:
        for question in (b"", b"GET / HTTP/1.0\r\n\r\n"):
            with suppress(TimeoutError):
                if question:
                    connection.sendall(question)
                said = connection.recv(64)
                return next((kind for greeting, kind in _GREETINGS if said.startswith(greeting)), "")
    return ""
