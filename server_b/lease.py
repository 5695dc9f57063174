"""The leases on the entries we hold, and what else is due once a second: heartbeat, stop request, end of the wait.

The consumer calls it between the steps of its work. A thread was rejected: it would keep lease and heartbeat alive for
a consumer that hangs, which is exactly what they exist to reveal.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from server_b.settings import ConsumerSettings
from shared.advice import CHECK_BOTH_ENDS
from shared.errors import InvalidInputError, NotFinishedError, TransientError
from shared.stopping import StopRequest

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

BEAT_EVERY_S = 1.0
DRAIN_S = 5.0
QUIET_AFTER_S = 10.0
NO_SIGNALS = f"no signals at this endpoint; {CHECK_BOTH_ENDS}"
ALL_READ = "signals do come here, but no new one did"


@dataclass
class _Hold:
    renew: Callable[[], bool]
    due_s: float
    is_waiting: bool = False  # for its list or for its turn, while another is in hand, or none


@dataclass
class _Name:
    keep: Callable[[], None]
    every_s: float
    due_s: float


class GivenBack(Exception):  # noqa: N818 - an outcome, not an error
    """The entry is left to another consumer: a stop was requested, or another one claimed it."""


class WaitOverError(NotFinishedError):
    """The time of `--wait-s` is over."""


@dataclass
class Lease:
    """Holds the entry in hand, and the one behind it if that was taken already.

    Attributes:
        endpoint: Its name, for messages.
    """

    settings: ConsumerSettings
    stop: StopRequest
    log: FilteringBoundLogger
    endpoint: str

    def __post_init__(self) -> None:
        """Start all clocks now."""
        self.complete_before = ""  # a run that `--once` passes over
        self._name: _Name | None = None
        self._held: dict[str, _Hold] = {}  # by entry id; the first that does not wait is in hand
        self._renew_every_s = self.settings.claim_idle_ms / 3_000
        self._beat_every_s = min(BEAT_EVERY_S, self._renew_every_s)
        self._started = self._progress_at = self._next_beat = time.monotonic()
        self._stop_seen: float | None = None
        self._is_quiet = True
        self._has_found = False

    def hold(self, entry_id: str, renew: Callable[[], bool], *, is_in_hand: bool = True) -> None:
        """Hold an entry, or go on; `renew` resets the entry's idle time and returns whether it is still ours."""
        hold = self._held.setdefault(entry_id, _Hold(renew, time.monotonic() + self._renew_every_s))
        hold.is_waiting = not is_in_hand

    def let_wait(self, entry_id: str) -> None:
        """Go on holding an entry that waits for its list; it is not in hand until it is held again."""
        self._held[entry_id].is_waiting = True

    def release_waiting(self) -> None:
        """Hold no entry any more that waits, for its list or for its turn."""
        self._held = {entry_id: hold for entry_id, hold in self._held.items() if not hold.is_waiting}

    def hold_name(self, keep: Callable[[], None], *, every_s: float) -> None:
        """Keep our consumer name, from now on and as often; `keep` raises if another process has it."""
        self._name = self._name or _Name(keep, every_s, time.monotonic() + every_s)

    def keep_name(self) -> None:
        """Keep our name when it is due, also while nothing comes: it says that we live, not that we get on."""
        if self._name is not None and time.monotonic() >= self._name.due_s:
            self._name.due_s = time.monotonic() + self._name.every_s
            self._name.keep()

    def release(self, entry_id: str) -> None:
        """Hold an entry no more."""
        self._held.pop(entry_id, None)

    def found_something(self) -> None:
        """Note that signals do come here, now or before we started."""
        self._has_found, self._is_quiet = True, False

    def made_progress(self) -> None:
        """Start the wait of `--wait-s` again."""
        self._progress_at = time.monotonic()

    def beat(self) -> None:
        """Touch the heartbeat file and renew the leases, when it is time.

        Raises GivenBack if another consumer claimed the entry in hand.
        """
        now = time.monotonic()
        if now < self._next_beat:
            return
        self._next_beat = now + self._beat_every_s
        if self.settings.heartbeat_file:
            touch_heartbeat(self.settings.heartbeat_file)
        self.keep_name()
        in_hand = next((hold for hold in self._held.values() if not hold.is_waiting), None)
        for entry_id, hold in list(self._held.items()):
            if now < hold.due_s:
                continue
            if hold.renew():
                hold.due_s = now + self._renew_every_s
            elif hold is in_hand:
                raise GivenBack("claimed by another consumer")
            elif hold.is_waiting:  # held anew if its turn comes; else nobody would let it go
                self.release(entry_id)
        if self._is_quiet and now - self._started > QUIET_AFTER_S:
            self._is_quiet = False
            self.log.info(NO_SIGNALS, endpoint=self.endpoint)

    def tick(self) -> None:
        """Do what is due between two chunks.

        Raises GivenBack if another consumer claimed the entry, or the reading takes too long after a stop request.
        """
        self.beat()
        if self.stop.is_requested:
            self._stop_seen = self._stop_seen or time.monotonic()
            if time.monotonic() - self._stop_seen > DRAIN_S:
                raise GivenBack("a stop was requested")

    def look_on(self) -> None:
        """Do what is due in the midst of a look that was made before, with nothing in hand.

        Raises WaitOverError if the time of `--wait-s` is over.
        """
        self.beat()
        self.check_wait()

    def pause(self, seconds: float) -> None:
        """Wait for a list that has not come yet.

        Raises:
            GivenBack: A stop was requested, or another consumer claimed the entry.
            WaitOverError: The time of `--wait-s` is over.
        """
        until = time.monotonic() + seconds
        while True:
            self.beat()
            self.check_wait()
            left_s = until - time.monotonic()
            if left_s <= 0:
                return
            if self.stop.wait(min(left_s, self._beat_every_s)):
                raise GivenBack("a stop was requested")

    def rest(self, seconds: float, *, reason: str) -> None:
        """Wait before a reading that was cut for this reason begins again; a stop request ends it.

        Raises WaitOverError if the time of `--wait-s` is over.
        """
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0:
            self.check_wait(reason=reason)
            if self.settings.heartbeat_file:
                touch_heartbeat(self.settings.heartbeat_file)
            with suppress(TransientError):  # met again by the next try
                self.keep_name()
            if self.stop.wait(min(left_s, self._beat_every_s)):
                return

    def check_wait(self, *, reason: str = "") -> None:
        """Raise WaitOverError if the time of `--wait-s` is over, with the reason if there is one."""
        wait_s = self.settings.wait_s
        if wait_s is not None and time.monotonic() - self._progress_at >= wait_s:
            expected = f"a complete run within {wait_s:g} s"
            advice = ALL_READ if self._has_found else CHECK_BOTH_ENDS
            none = (
                f"none after run {run_id}, which --run {run_id} ends at" if (run_id := self.complete_before) else "none"
            )
            got = f"a reading that was cut: {reason}" if reason else none
            raise WaitOverError(where=self.endpoint, expected=expected, got=got, advice="" if reason else advice)


def touch_heartbeat(path: str) -> None:
    """Set the heartbeat file's modification time to now; create the file if it is missing."""
    try:
        Path(path).touch()
    except OSError as error:
        raise InvalidInputError(
            where="--heartbeat-file", expected="a file that can be written", got=f"{path}: {error.strerror}"
        ) from error
