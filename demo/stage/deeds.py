"""What was asked for with the buttons and done: a list that one thread writes and others read."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace

from demo.stage.buttons import Button
from shared.page.facts import Deed

MOST_WAITING = 10
MOST_KEPT = 100

ASKED, UNDER_WAY, DONE, REFUSED = "waits", "under way", "done", "not done"


@dataclass(frozen=True)
class Entry:
    """One press of a button.

    Attributes:
        asked_ms: When it was pressed, milliseconds since 1970; the servers' clock is this host's.
        from_ms: When it was done, 0 until then.
        to_ms: When it was over, 0 until then.
        told: What was done, to which process.
        run_id: The run during which it was done.
    """

    number: int
    button: Button
    asked_ms: int
    state: str = ASKED
    from_ms: int = 0
    to_ms: int = 0
    told: str = ""
    run_id: str = ""


@dataclass
class Deeds:
    """All presses since the start, the newest hundred of them kept."""

    version: int = 0
    _entries: dict[int, Entry] = field(default_factory=dict)
    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, button: Button) -> bool:
        """Note that a button was pressed; return False when too many presses wait already."""
        with self._lock:
            if sum(entry.state == ASKED for entry in self._entries.values()) >= MOST_WAITING:
                return False
            self._count += 1
            self._entries[self._count] = Entry(self._count, button, now_ms())
            for number in sorted(self._entries)[:-MOST_KEPT]:
                del self._entries[number]
            self.version += 1
        return True

    def next_asked(self) -> Entry | None:
        """Return the oldest press that waits; None while what another one asked for lasts: one after the other."""
        entries = self.all()
        if any(entry.state == UNDER_WAY for entry in entries):
            return None
        return next((entry for entry in entries if entry.state == ASKED), None)

    def all(self) -> list[Entry]:
        """Return every press, the oldest first."""
        with self._lock:
            return list(self._entries.values())

    def last_over_ms(self) -> int:
        """Return when what was done last was over: a run that began later is free of it."""
        return max((entry.to_ms for entry in self.all()), default=0)

    def begin(self, number: int, told: str, run_id: str) -> None:
        """Note that something is done now."""
        self._change(number, state=UNDER_WAY, from_ms=now_ms(), told=told, run_id=run_id)

    def end(self, number: int, told: str = "") -> None:
        """Note that it is over, and what there is to add."""
        before = self._entries[number].told
        self._change(number, state=DONE, to_ms=now_ms(), told=f"{before} {told}".strip())

    def refuse(self, number: int, why: str) -> None:
        """Note why it was not done."""
        self._change(number, state=REFUSED, told=why)

    def on_time_line(self) -> list[Deed]:
        """Return what was done, for the time line."""
        done = [entry for entry in self.all() if entry.from_ms]
        return [Deed(entry.number, entry.button.label, entry.from_ms, entry.to_ms) for entry in done]

    def _change(self, number: int, **changed: object) -> None:
        with self._lock:
            if number in self._entries:
                self._entries[number] = replace(self._entries[number], **changed)  # type: ignore[arg-type]
                self.version += 1


def now_ms() -> int:
    """Return this host's clock in milliseconds since 1970, which is the servers' as well."""
    return time.time_ns() // 1_000_000
