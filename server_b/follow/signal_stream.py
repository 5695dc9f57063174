"""The signals as a follower reads them: with XREAD from an id on, which leaves nothing on the server.

Earlier signals are read with XREAD too. XRANGE was rejected: it would take another permission.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, cast

from server_b.follow.checkpoint import START
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.our_streams import newest_entries, require_signals_among
from shared.endpoint.published import LOOK_BACK, signals_in
from shared.endpoint.stream_pages import PageSize, require_order, stream_pages
from shared.entry_ids import order_of
from shared.keys import Keyspace
from shared.signal import Signal

RawEntry = tuple[str, dict[bytes, bytes]]

BLOCK_MS = 1_000
PAGE = 1_000


@dataclass
class SignalStream:
    """Reads one stream, which need not exist yet."""

    endpoint: Endpoint
    keys: Keyspace

    @property
    def key(self) -> str:
        """The stream's key."""
        return self.keys.signals()

    def require_ours(self) -> None:
        """Raise WrongKeyError if the stream is somebody else's.

        Redis: XREVRANGE COUNT 1; where that is no signal more of them, then XREAD and what `changed_signals` asks.
        """
        newest = newest_entries(self.endpoint.at(self.key), self.key)
        oldest = islice(chain.from_iterable(self._pages()), LOOK_BACK)
        require_signals_among(self.endpoint, self.keys, chain(newest, oldest))

    def newest_id(self) -> str:
        """Return the id of the newest entry; `START` when there is none. Redis: XREVRANGE COUNT 1; O(1)."""
        newest = cast("list[Any]", self.endpoint.at(self.key).xrevrange(self.key, count=1))
        return str(newest[0][0].decode()) if newest else START

    def next_entry(self, *, after: str, block_ms: int) -> RawEntry | None:
        """Return the entry after an id, or None after a wait. Redis: XREAD COUNT 1 BLOCK; O(1)."""
        return next(iter(self._read(after, count=1, block_ms=block_ms)), None)

    def last_before(self, run_id: str) -> str:
        """Return the id of the entry before a run's first signal; of the last entry where the run has none yet.

        Redis: XREAD by pages of at most 1,000 entries, fewer of large ones; O(entries before it).
        """
        before = START
        for entries in self._pages():
            for entry in entries:
                if any(signal.run_id == run_id for signal in signals_in([entry])):
                    return before
                before = entry[0]
        return before

    def signals_of(self, run_id: str, *, up_to: str) -> list[Signal]:
        """Return each segment's newest signal up to an id. Redis: XREAD as in `last_before`; O(entries)."""
        found: list[Signal] = []
        for entries in self._pages():
            wanted = [entry for entry in entries if order_of(entry[0]) <= order_of(up_to)]
            found += [signal for signal in signals_in(wanted) if signal.run_id == run_id]
            if len(wanted) < len(entries):
                break
        return list({signal.segment: signal for signal in sorted(found, key=lambda signal: signal.attempt)}.values())

    def _pages(self) -> Iterator[list[RawEntry]]:
        size = PageSize(PAGE)

        def read(start: str) -> list[RawEntry]:
            return self._read(START if start == "-" else start.removeprefix("("), count=size.count)

        return stream_pages(read, start="-", count=size, where=self.endpoint.name)

    def _read(self, after: str, *, count: int, block_ms: int | None = None) -> list[RawEntry]:
        reply = self.endpoint.at(self.key).xread({self.key: after}, count=count, block=block_ms)
        streams = cast("list[list[Any]]", reply)
        entries = [(entry_id.decode(), fields) for entry_id, fields in streams[0][1]] if streams else []
        require_order([entry_id for entry_id, _ in entries], after=after, where=self.endpoint.name)
        return entries
