"""The signals as a follower reads them: entry by entry with XREAD, from an id on, and nothing left on the server."""

from __future__ import annotations

from typing import Any, cast

from server_b.checkpoint import START
from shared.endpoint.client import Endpoint

BLOCK_MS = 1_000


class SignalStream:
    """Reads one stream without a group."""

    def __init__(self, endpoint: Endpoint, key: str) -> None:
        """Use the stream at a key of an endpoint; it need not be there yet."""
        self._endpoint = endpoint
        self.key = key

    def newest_id(self) -> str:
        """Return the id of the newest entry; `START` when there is none.

        Redis:
            XREVRANGE COUNT 1; O(1).
        """
        with self._endpoint.translated(self.key):
            newest = cast("list[Any]", self._endpoint.client.xrevrange(self.key, count=1))
        return str(newest[0][0].decode()) if newest else START

    def next_entry(self, *, after: str) -> tuple[str, dict[bytes, bytes]] | None:
        """Return the id and the fields of the entry after an id, waiting a moment for it; None when none came.

        Redis:
            XREAD COUNT 1 BLOCK; O(1).
        """
        with self._endpoint.translated(self.key):
            reply = self._endpoint.client.xread({self.key: after}, count=1, block=BLOCK_MS)
        streams = cast("list[list[Any]]", reply)
        if not streams:
            return None
        entry_id, fields = streams[0][1][0]
        return entry_id.decode(), fields


def order_of(entry_id: str) -> tuple[int, int]:
    """Return what entry ids are to be sorted by; as texts they sort otherwise."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)
