"""Entries whose lists have not come yet: they stay pending with us, and others are taken meanwhile.

Behind replication, or on another shard of a cluster, a signal may come before its list. Waiting for one list in place
was rejected: a run whose lists are lost would hold a consumer for the time of all its signals together.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from server_b.group.entry import Entry
from server_b.group.signal_group import SignalGroup
from server_b.segment.arrivals import Arrivals
from server_b.settings import ConsumerSettings
from shared.signal import Signal

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


class _Missing(NamedTuple):
    entry: Entry
    signal: Signal
    number: int  # of the delivery


@dataclass
class MissingLists:
    """Looks for all lists together, again and again, until `settle_s` have passed since each was first missed."""

    group: SignalGroup
    settings: ConsumerSettings
    log: FilteringBoundLogger
    _missing: dict[str, _Missing] = field(init=False, default_factory=dict)
    _until: dict[str, float] = field(init=False, default_factory=dict)  # by entry id, until the delivery is over
    _ready: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._arrivals = Arrivals(self.group.endpoint, self.group.keys)

    def __contains__(self, entry_id: str) -> bool:
        """Whether an entry waits here for its list."""
        return entry_id in self._missing

    def ids(self) -> set[str]:
        """Return the ids of the entries that wait here."""
        return set(self._missing)

    def add(self, entry: Entry, signal: Signal, number: int) -> bool:
        """Let an entry wait for its list; return False if its time is over."""
        now = time.monotonic()
        is_first = entry.entry_id not in self._until
        if now >= self._until.setdefault(entry.entry_id, now + self.settings.settle_s):
            self.forget(entry.entry_id)
            return False
        if is_first:
            told = {"run_id": signal.run_id, "segment": signal.segment}
            self.log.info("list not there yet, taking others meanwhile", **told)
        self._missing[entry.entry_id] = _Missing(entry, signal, number)
        self._arrivals.begin()
        return True

    def due_ms(self) -> int | None:
        """Return in how many milliseconds it is time to look; None when nothing waits here."""
        return self._arrivals.due_ms() if self._missing else None

    def take(self) -> Entry | None:
        """Return an entry whose list has come or whose time is over, if it is time to look and there is one.

        Redis: HMGET of each state, in one round trip; EVAL for what is returned.
        """
        if not self._ready and self._missing and self._arrivals.is_due:
            self._ready = self._look()
        while self._ready:
            found = self._missing.pop(self._ready.pop(0), None)
            if found is not None and self.group.renew(found.entry):
                return found.entry
            if found is not None:
                self._tell_claimed(found.entry)
        return None

    def _look(self) -> list[str]:
        waiting = list(self._missing.values())
        has_come = self._arrivals.look([found.signal for found in waiting])
        now, entry_ids = time.monotonic(), [found.entry.entry_id for found in waiting]
        return [
            each for each, is_there in zip(entry_ids, has_come, strict=True) if is_there or now >= self._until[each]
        ]

    def note_delivery(self, entry_id: str) -> None:
        """Note that an entry that waits here was delivered to us again, so that its count is asked for."""
        found = self._missing[entry_id]
        self._missing[entry_id] = found._replace(entry=replace(found.entry, is_redelivered=True))

    def forget(self, entry_id: str) -> None:
        """Forget an entry whose delivery is over."""
        self._missing.pop(entry_id, None)
        self._until.pop(entry_id, None)

    def let_go(self) -> list[str]:
        """Let all entries come again as pending ones, in the time they still have; return their ids."""
        waiting = list(self._missing)
        self._missing.clear()
        self._ready.clear()
        return waiting

    def give_back(self) -> None:
        """Let others claim the entries at once, as if they had not been delivered to us."""
        for found in self._missing.values():
            deliveries = max(0, found.number - 1)
            if self.group.renew(found.entry, idle_ms=self.settings.claim_idle_ms, deliveries=deliveries):
                told = {"entry_id": found.entry.entry_id, "reason": "its list has not come"}
                self.log.info("entry given back", **told)
            else:
                self._tell_claimed(found.entry)
        self._missing.clear()

    def _tell_claimed(self, entry: Entry) -> None:
        self._until.pop(entry.entry_id, None)
        self.log.info("entry given back", entry_id=entry.entry_id, reason="claimed by another consumer")
