"""Which entry is next: own pending ones first, then those of consumers that went silent, then new ones.

Own pending entries are asked for at other times too: redis-py replaces a closed connection without a word, and a reply
that was lost with it leaves its entry pending with us though we never saw it.

The group counts deliveries, and an entry with too many is given up. A delivery that a lost connection ended says
nothing of the entry, so the group's count is set right. Counting here was rejected: it would end with this process.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from server_b.entry import Entry
from server_b.group.signal_group import SignalGroup
from server_b.settings import ConsumerSettings
from shared.errors import TransientError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

BLOCK_MS = 1_000
WATCH_BLOCK_MS = 200
CLAIM_EVERY_S = 5.0
MAX_FAULTS = 100
MAX_FAULTS_S = 60.0


class EntrySource:
    """Hands out one entry at a time, and takes it back."""

    def __init__(self, group: SignalGroup, settings: ConsumerSettings, log: FilteringBoundLogger) -> None:
        """Take entries from a group."""
        self._group = group
        self._settings = settings
        self._log = log
        self._left: dict[str, Entry] = {}
        self._own_after = "0"
        self._claim_after = "0-0"
        self._claim_at = 0.0
        self._is_first_claim = True
        self._lost_reads = 0
        self._miscounted: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self._faulty_since: dict[str, float] = {}
        self._taken: dict[str, Entry] = {}

    @property
    def is_begun(self) -> bool:
        """Whether an entry was begun, and is to be gone on with after a lost connection."""
        return bool(self._faults)

    def begin(self) -> None:
        """Start anew, as after every lost connection: what is pending with us comes first."""
        self._own_after = "0"
        self._claim_at = 0.0
        self._is_first_claim = True

    def next_entry(self) -> Entry | None:
        """Return the next entry, waiting a moment for a new one; None when none came.

        Raises:
            TransientError: An entry may have been delivered to us all the same.
        """
        try:
            entry = self._own_pending() or self._claimed() or self._new()
        except TransientError:
            self._lost_reads += 1
            raise
        return self._as_first_taken(entry) if entry is not None else None

    def corrected(self, entry: Entry, counted: int) -> int:
        """Return how often an entry was delivered, those left out that a lost connection ended; the group learns it.

        Args:
            entry: Redelivered.
            counted: What the group says.
        """
        miscounted = self._miscounted[entry.entry_id] + self._lost_reads
        if miscounted and counted > 1:
            counted = max(1, counted - miscounted)
            self._group.renew(entry, deliveries=counted)
        self._lost_reads = 0
        del self._miscounted[entry.entry_id]
        return counted

    def note_fault(self, entry: Entry) -> bool:
        """Note that a lost connection ended a delivery; return whether that has gone on for too long."""
        entry_id = entry.entry_id
        self._miscounted[entry_id] += 1
        self._faults[entry_id] += 1
        since = self._faulty_since.setdefault(entry_id, time.monotonic())
        return self._faults[entry_id] >= MAX_FAULTS and time.monotonic() - since >= MAX_FAULTS_S

    def leave(self, entry: Entry) -> None:
        """Leave an entry pending with us until its time to be claimed has come."""
        self._left[entry.entry_id] = entry

    def give_back(self, entry: Entry, *, deliveries: int) -> None:
        """Leave an entry to whoever asks for it next, as if it had not been delivered to us."""
        self._group.renew(entry, idle_ms=self._settings.claim_idle_ms, deliveries=max(0, deliveries - 1))
        self._taken.pop(entry.entry_id, None)

    def forget(self, entry: Entry) -> None:
        """Forget an entry that was acknowledged."""
        self._left.pop(entry.entry_id, None)
        for known in (self._miscounted, self._faults, self._faulty_since, self._taken):
            known.pop(entry.entry_id, None)

    def close(self) -> None:
        """Have what is pending with us claimed at once, now that we end; whoever claims it gets the right count."""
        for entry in self._left.values():
            self._group.renew(entry, idle_ms=self._settings.claim_idle_ms)
        self._left.clear()
        for entry_id in self._miscounted.keys() & self._taken.keys():
            entry = self._taken[entry_id]
            counted = self._group.deliveries(entry) - self._miscounted[entry_id] - self._lost_reads
            self._group.renew(entry, idle_ms=self._settings.claim_idle_ms, deliveries=max(0, counted))

    def _as_first_taken(self, entry: Entry) -> Entry:
        """Return an entry with what a later delivery does not tell: when we took it, and from whom."""
        first = self._taken.setdefault(entry.entry_id, replace(entry, taken_s=time.monotonic()))
        return replace(entry, taken_s=first.taken_s, claimed_from=entry.claimed_from or first.claimed_from)

    def _own_pending(self) -> Entry | None:
        if not self._own_after:
            return None
        entry = self._group.read_own_pending(after=self._own_after)
        self._own_after = entry.entry_id if entry else ""
        if entry is None:
            self._lost_reads = 0
        return entry

    def _claimed(self) -> Entry | None:
        if time.monotonic() < self._claim_at:
            return None
        self._claim_after, entry = self._group.claim(idle_ms=self._settings.claim_idle_ms, after=self._claim_after)
        if self._claim_after == "0-0":
            self._claim_at = time.monotonic() + min(CLAIM_EVERY_S, self._settings.claim_idle_ms / 2_000)
            # the first time nothing can have been lost: what is pending with us was read just before
            if not self._is_first_claim and self._group.own_pending_ids() - self._left.keys():
                self._own_after = "0"
            self._is_first_claim = False
        if entry:
            self._log.info("entry claimed", entry_id=entry.entry_id, claimed_from=entry.claimed_from)
        return entry

    def _new(self) -> Entry | None:
        return self._group.read_new(block_ms=WATCH_BLOCK_MS if self._settings.is_once else BLOCK_MS)
