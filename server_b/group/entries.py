"""Which entry is next: own pending ones first, then those of consumers that went silent, then new ones.

Own pending entries are read at other times too: redis-py may replace a closed connection, and lose an entry with it.

A delivery that a lost connection ended says nothing about the entry, so we correct the group's count, by which an entry
becomes a dead letter. Our own count was rejected: it ends with the process.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from server_b.group.delivery import Delivery
from server_b.group.entry import Entry
from server_b.group.missing_lists import MissingLists
from server_b.group.signal_group import SignalGroup
from server_b.group.trimmed import tell_trimmed
from server_b.segment.look import SegmentLook
from server_b.serving import Faults
from server_b.settings import ConsumerSettings
from shared.endpoint.endpoint import ServerClock
from shared.endpoint.together import Together, without_errors
from shared.errors import TransientError
from shared.program.telemetry.telling import ConsumerTelemetry
from shared.signal import Signal
from shared.verdict import SegmentVerdict

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

BLOCK_MS = 1_000
WATCH_BLOCK_MS = 200
CLAIM_EVERY_S = 5.0


@dataclass
class EntrySource:
    """Hands out one entry at a time, and takes it back; `faults` are of entries that are to be processed again."""

    group: SignalGroup
    settings: ConsumerSettings
    log: FilteringBoundLogger
    telemetry: ConsumerTelemetry = field(default_factory=ConsumerTelemetry)

    def __post_init__(self) -> None:
        """Start with nothing taken."""
        self.faults = Faults()
        self.missing = MissingLists(self.group, self.settings, self.log)
        self._left: dict[str, Entry] = {}
        self._taken: dict[str, Entry] = {}
        self._miscounted: Counter[str] = Counter()
        self._ahead: Entry | None = None
        self._lost_reads = 0
        self._claim_after = "0-0"
        self.begin()

    def begin(self) -> None:
        """Start again, as after every lost connection: what is pending with us comes first."""
        self._own_after = "0"
        self._claim_at = 0.0
        self._is_first_claim = True
        self._put_back()

    def next_entry(self) -> Entry | None:
        """Return the next entry, waiting a moment for a new one; None when none came."""
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            return ahead
        block_ms = WATCH_BLOCK_MS if self.settings.is_once else BLOCK_MS
        try:
            entry = self.missing.take() or self._own_pending() or self._claimed()
            if entry is None:
                entry = self.group.read_new(block_ms=min(block_ms, self.missing.due_ms() or block_ms))
        except TransientError:
            self._lost_reads += 1  # an entry may have been delivered to us all the same
            raise
        return self._first_seen(entry) if entry is not None else None

    def take_ahead(self, in_hand: Entry) -> Entry | None:
        """Return an entry that waits already, if there is one, which `next_entry` returns again in its turn.

        None when it is time to look for entries to claim: those come before new ones.

        Redis: XREADGROUP with an id if own pending entries are still being read, then without BLOCK; O(1).
        """
        try:
            entry = self._own_pending()
            if entry is not None and entry.entry_id == in_hand.entry_id:
                entry = self._own_pending()
            if entry is None and time.monotonic() < self._claim_at:
                entry = self.group.read_new(block_ms=None)
        except TransientError:
            self._lost_reads += 1
            raise
        self._ahead = self._first_seen(entry) if entry is not None else None
        return self._ahead

    def _first_seen(self, entry: Entry) -> Entry:
        # a later delivery does not tell when we first received the entry, nor from whom we claimed it
        now_s = time.monotonic()
        first = self._taken.setdefault(entry.entry_id, replace(entry, taken_s=now_s))
        claimed_from = entry.claimed_from or first.claimed_from
        return replace(entry, taken_s=first.taken_s, delivered_s=now_s, claimed_from=claimed_from)

    def look_at(self, entry: Entry, signal: Signal) -> Delivery:
        """Ask everything that the decision about a delivery needs, together.

        Redis: HGET of the verdict, TIME, HMGET of state and record; XPENDING of a redelivered entry. One round trip.
        """
        keys, key = self.group.keys, self.group.keys.result(signal.run_id)
        asked = Together(self.group.endpoint)
        asked.at(key).hget(key, str(signal.segment))
        SegmentLook.ask(asked, keys, signal)
        if entry.is_redelivered:
            self.group.ask_deliveries(asked, entry)
        result, *replies = asked.send(raise_on_error=False)
        pending = replies.pop() if entry.is_redelivered else None
        without_errors([result, pending])
        number = self._corrected(entry, pending[0]["times_delivered"] if pending else 0) if entry.is_redelivered else 1
        standing = SegmentVerdict.decode(result) if result is not None else None
        look = SegmentLook.decode(keys, signal, entry.entry_id, replies)
        (clock := ServerClock()).set(look.taken_ms * 1_000)
        return Delivery(entry, signal, number, standing, look, clock)

    def _corrected(self, entry: Entry, counted: int) -> int:
        """Return the group's count without the deliveries that a lost connection ended; correct the group."""
        # which entry a lost read delivered is unknown until all own ones were read: it counts for none of them
        miscounted = self._miscounted[entry.entry_id] + self._lost_reads
        if miscounted and counted > 1:
            counted = max(1, counted - miscounted)
            self.group.renew(entry, deliveries=counted)
        del self._miscounted[entry.entry_id]
        return counted

    def note_fault(self, entry: Entry) -> bool:
        """Note a delivery that a lost connection ended; return whether that has gone on for too long."""
        self._miscounted[entry.entry_id] += 1
        return self.faults.note(entry.entry_id)

    def leave(self, entry: Entry) -> None:
        """Leave an entry pending with us until it is idle for long enough to be claimed."""
        self._left[entry.entry_id] = entry
        self.missing.forget(entry.entry_id)

    def give_back(self, entry: Entry, *, deliveries: int) -> None:
        """Leave an entry to whoever claims next, as if it had not been delivered to us."""
        self.group.renew(entry, idle_ms=self.settings.claim_idle_ms, deliveries=max(0, deliveries - 1))
        self._taken.pop(entry.entry_id, None)

    def forget(self, entry: Entry) -> None:
        """Forget an entry that was acknowledged."""
        for known in (self.faults, self._left, self._taken, self._miscounted):
            known.pop(entry.entry_id, None)
        self.missing.forget(entry.entry_id)

    def close(self) -> None:
        """Let others claim at once what is pending with us, with the right delivery count."""
        self.missing.give_back()
        self._put_back()
        for entry in self._left.values():
            self.group.renew(entry, idle_ms=self.settings.claim_idle_ms)
        self._left.clear()
        taken = self._miscounted.keys() & self._taken.keys()
        counts = self.group.own_pending() if taken else {}
        for entry_id in taken & counts.keys():
            counted = max(0, counts[entry_id] - self._miscounted[entry_id] - self._lost_reads)
            self.group.renew(self._taken[entry_id], idle_ms=self.settings.claim_idle_ms, deliveries=counted)
        if self.telemetry.is_on:
            self.telemetry.pending(self.group.ask_pending())

    def _put_back(self) -> None:
        """Let what was taken and not handled come again with what is pending, as if it had not been delivered."""
        self._miscounted.update(self.missing.let_go() + ([self._ahead.entry_id] if self._ahead else []))
        self._ahead = None

    def _own_pending(self) -> Entry | None:
        if not self._own_after:
            return None
        entry = self.group.read_own_pending(after=self._own_after)
        while entry is not None and entry.entry_id in self.missing:
            self.missing.note_delivery(entry.entry_id)
            self._miscounted[entry.entry_id] += 1
            entry = self.group.read_own_pending(after=entry.entry_id)
        self._own_after = entry.entry_id if entry else ""
        self._lost_reads = self._lost_reads if entry else 0
        return entry

    def _claimed(self) -> Entry | None:
        if time.monotonic() < self._claim_at:
            return None
        claim_idle_ms = self.settings.claim_idle_ms
        self._claim_after, entry, trimmed = self.group.claim(idle_ms=claim_idle_ms, after=self._claim_after)
        tell_trimmed(self.log, entries=len(trimmed))
        self.telemetry.pending(self.group.pending)
        if self._claim_after == "0-0":
            self._claim_at = time.monotonic() + min(CLAIM_EVERY_S, claim_idle_ms / 2_000)
            # the first time nothing can have been lost: what is pending with us was read just before
            if not self._is_first_claim and self.group.own_pending().keys() - self._left.keys() - self.missing.ids():
                self._own_after = "0"
            self._is_first_claim = False
        if entry:
            self.telemetry.claimed()
            self.missing.forget(entry.entry_id)
            self.log.info("entry claimed", entry_id=entry.entry_id, claimed_from=entry.claimed_from)
        return entry
