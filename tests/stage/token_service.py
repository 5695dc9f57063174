"""Stands in for the token service of a managed identity, which an Azure host finds at IDENTITY_ENDPOINT.

The one part of Azure that these tests imitate: azure-identity and redis-entraid ask it as they ask the real one. Each
token it gives out is made the password of the user it names, on a real server, which is what Azure does with one.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from demo.servers import Server
from tests.stage.raw import call

OBJECT_ID = "11111111-2222-3333-4444-555555555555"
_HEADER = "made-for-this-test"


class TokenService:
    """Gives out tokens that a server accepts, or errors.

    Attributes:
        is_out_of_order: Whether it answers with errors.
        tokens: What it has given out, oldest first.
    """

    def __init__(self, server: Server) -> None:
        """Listen."""
        self.is_out_of_order = False
        self.tokens: list[str] = []
        self._server = server
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    @property
    def env(self) -> dict[str, str]:
        """The variables by which a managed identity is found."""
        return {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{self._http.server_port}/token",
            "IDENTITY_HEADER": _HEADER,
            "NO_PROXY": "127.0.0.1",
        }

    def give(self) -> dict[str, str]:
        """Make a token, have the server accept it alone, and return the service's answer."""
        expires_s = int(time.time()) + 3600
        claims = {"oid": OBJECT_ID, "exp": expires_s, "jti": secrets.token_hex(8)}
        token = ".".join(map(_encoded, ({"alg": "HS256", "typ": "JWT"}, claims, {"signed": "by nobody"})))
        call(self._server, "ACL", "SETUSER", OBJECT_ID, "on", "resetpass", f">{token}", "~*", "&*", "+@all")
        self.tokens.append(token)
        return {
            "access_token": token,
            "expires_on": str(expires_s),
            "resource": "https://redis.azure.com",
            "token_type": "Bearer",
        }

    def _handler(service) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the inner class has a self of its own
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Answer as the service of a managed identity does."""
                is_fine = not service.is_out_of_order and self.headers["X-IDENTITY-HEADER"] == _HEADER
                body = json.dumps(service.give() if is_fine else {"error": "out of order"}).encode()
                self.send_response(200 if is_fine else 500)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        return Handler

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def _encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
