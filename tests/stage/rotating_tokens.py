"""A credential provider of the tests' own: a user whose password is a token that ends whenever the test says so."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from typing import Any

from redis.auth.token import SimpleToken
from redis.credentials import StreamingCredentialProvider

from demo.servers import Server
from tests.stage.raw import call

USER = "app"
_VALID_TOKENS = 5


class RotatingTokens(StreamingCredentialProvider):
    """Gives out the newest token that the servers accept; keeps one callback, as redis-entraid's provider does.

    Attributes:
        asked: How often a connection asked for a token.
    """

    def __init__(self, *servers: Server) -> None:
        """Make the user with a first token at each server."""
        self.asked = 0
        self._servers = servers
        self._numbers = itertools.count(1)
        self._callback: Callable[[Any], None] | None = None
        # the newest is given out; the others stay good for whoever was just given one, as those of Azure do for minutes
        self._valid: deque[str] = deque(maxlen=_VALID_TOKENS)
        self.renew()

    def get_credentials(self) -> tuple[str, str]:
        """Return user and token."""
        self.asked += 1
        return USER, self._given

    def on_next(self, callback: Callable[[Any], None]) -> None:
        """Keep what is to be called with a renewed token."""
        self._callback = callback

    def on_error(self, callback: Callable[[Exception], None]) -> None:
        """Ignore it: nothing fails here."""

    def is_streaming(self) -> bool:
        """Return True."""
        return True

    def renew(self) -> None:
        """Give out another token from now on; connections that were opened with the old one stay."""
        self._valid.append(f"token-{next(self._numbers)}")
        passwords = [f">{token}" for token in self._valid]
        for server in self._servers:
            call(server, "ACL", "SETUSER", USER, "on", "resetpass", *passwords, "~*", "&*", "+@all")
        self._given = self._valid[-1]

    def end(self) -> None:
        """Give out another one, and cut every connection that there is, as Azure does at a token's end."""
        self.renew()
        for server in self._servers:
            call(server, "CLIENT", "KILL", "USER", USER)

    def announce(self) -> None:
        """Hand the token to whoever wants renewed ones, as a provider with a timer does."""
        assert self._callback is not None
        claims = {"oid": USER}
        self._callback(SimpleToken(self._given, -1, -1, claims))

    def last_commands(self) -> list[tuple[int, str]]:
        """Return the id of each connection of the user, and the command it sent last, in no order."""
        found = []
        for server in self._servers:
            for line in call(server, "CLIENT", "LIST").decode().splitlines():
                fields = dict(part.split("=", 1) for part in line.split(" ") if "=" in part)
                if fields["user"] == USER:
                    found.append((int(fields["id"]), fields["cmd"]))
        return found
