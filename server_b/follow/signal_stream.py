"""The signals as a follower reads them: with XREAD from an id on, which leaves nothing on the server.

Also what came before is read with XREAD. XRANGE was rejected: a user that may follow need not have it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, cast

from server_b.follow.checkpoint import START
from shared.endpoint.endpoint import Endpoint
from shared.errors import InvalidInputError
from shared.signal import Signal

Entry = tuple[str, dict[bytes, bytes]]

BLOCK_MS = 1_000
PAGE = 1_000


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
        newest = cast("list[Any]", self._endpoint.at(self.key).xrevrange(self.key, count=1))
        return str(newest[0][0].decode()) if newest else START

    def next_entry(self, *, after: str) -> Entry | None:
        """Return the entry after an id, waiting a moment for it; None when none came.

        Redis:
            XREAD COUNT 1 BLOCK; O(1).
        """
        return next(iter(self._read(after, count=1, block_ms=BLOCK_MS)), None)

    def signals_of(self, run_id: str, *, up_to: str) -> list[Signal]:
        """Return a run's signals up to an id, of each segment that of the newest attempt.

        Redis:
            XREAD COUNT 1,000 until that id is reached; O(entries).
        """
        newest: dict[int, Signal] = {}
        entries = self._read(START, count=PAGE)
        while entries:
            for entry_id, fields in entries:
                if order_of(entry_id) > order_of(up_to):
                    return list(newest.values())
                with suppress(InvalidInputError):
                    signal = Signal.decode(fields)
                    known = newest.get(signal.segment)
                    if signal.run_id == run_id and (known is None or known.attempt < signal.attempt):
                        newest[signal.segment] = signal
            entries = self._read(entries[-1][0], count=PAGE)
        return list(newest.values())

    def _read(self, after: str, *, count: int, block_ms: int | None = None) -> list[Entry]:
        reply = self._endpoint.at(self.key).xread({self.key: after}, count=count, block=block_ms)
        streams = cast("list[list[Any]]", reply)
        return [(entry_id.decode(), fields) for entry_id, fields in streams[0][1]] if streams else []


def order_of(entry_id: str) -> tuple[int, int]:
    """Return what entry ids are to be sorted by; as texts they sort otherwise."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)
