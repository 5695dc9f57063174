"""Connections of the page: only so many, and none for long on which no request comes.

uvicorn keeps a connection that sends nothing, or a header line now and then, for as long as its client likes. As many
of those as there are descriptors ended the page for everybody, without a token, and asyncio then wrote 140 MB of errors
to stderr in half a minute. uvicorn's `limit_concurrency` was rejected: it counts tabs as well and closes nothing.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S = 10.0  # for a request to come in full, from the connection or the last answer on
MAX_CONNECTIONS = 500  # more than there are tabs
ACCEPTED_AT_ONCE = 32  # by the event loop, before any of them can be closed


def most_connections() -> int:
    """Return how many connections are kept: fewer where there are few descriptors, half of which others may need."""
    return max(16, min(MAX_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))


class BriefProtocol(H11Protocol):
    """uvicorn's connection, closed when there are too many, or when no whole request has come in time."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, or close at once."""
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            transport.abort()
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._wait_no_more()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request, unless that is here already."""
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._wait()

    def _wait(self) -> None:
        self._wait_no_more()
        self._late = self.loop.call_later(REQUEST_S, self._close_late)

    def _wait_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()

    def _close_late(self) -> None:
        cycle: Any = self.cycle  # None before the first request
        if cycle is None or cycle.response_complete:
            self.transport.abort()
