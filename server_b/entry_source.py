"""Which entry is next: own pending ones first, then those of consumers that went silent, then new ones.

Own pending entries are asked for at other times too: redis-py replaces a closed connection without a word, and a reply
that was lost with it leaves its entry pending with us though we never saw it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from server_b.settings import ConsumerSettings
from server_b.signal_group import Entry, SignalGroup

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

BLOCK_MS = 1_000
WATCH_BLOCK_MS = 200
CLAIM_EVERY_S = 5.0


class EntrySource:
    """Hands out one entry at a time."""

    def __init__(self, group: SignalGroup, settings: ConsumerSettings, log: FilteringBoundLogger) -> None:
        """Take entries from a group."""
        self._group = group
        self._settings = settings
        self._log = log
        self._left: set[str] = set()
        self._own_after = "0"
        self._claim_after = "0-0"
        self._claim_at = 0.0

    def begin(self) -> None:
        """Start anew, as after every lost connection: what is pending with us comes first."""
        self._own_after = "0"
        self._claim_at = 0.0

    def leave(self, entry: Entry) -> None:
        """Leave an entry pending with us until its time to be claimed has come."""
        self._left.add(entry.entry_id)

    def acknowledge(self, entry: Entry) -> None:
        """Acknowledge an entry; its result must be durable by now."""
        self._left.discard(entry.entry_id)
        self._group.acknowledge(entry)

    def next_entry(self) -> Entry | None:
        """Return the next entry, waiting a moment for a new one; None when none came."""
        return self._own_pending() or self._claimed() or self._new()

    def _own_pending(self) -> Entry | None:
        if not self._own_after:
            return None
        entry = self._group.read_own_pending(after=self._own_after)
        self._own_after = entry.entry_id if entry else ""
        return entry

    def _claimed(self) -> Entry | None:
        if time.monotonic() < self._claim_at:
            return None
        self._claim_after, entry = self._group.claim(idle_ms=self._settings.claim_idle_ms, after=self._claim_after)
        if self._claim_after == "0-0":
            self._claim_at = time.monotonic() + min(CLAIM_EVERY_S, self._settings.claim_idle_ms / 2_000)
            if self._group.own_pending_ids() - self._left:
                self._own_after = "0"
        if entry:
            self._log.info("entry claimed", entry_id=entry.entry_id)
        return entry

    def _new(self) -> Entry | None:
        return self._group.read_new(block_ms=WATCH_BLOCK_MS if self._settings.is_once else BLOCK_MS)
