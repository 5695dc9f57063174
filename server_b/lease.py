"""The hold on the entry in hand, and what is due while it lasts: heartbeat, renewal, a stop request, the end of a wait.

Kept apart from the work and called between its steps. A thread was rejected: it would go on renewing the lease and the
heartbeat of a consumer that is stuck, which is what both are there to show.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from server_b.entry import Entry
from shared.errors import InvalidInputError, NotFinishedError
from shared.stopping import StopRequest

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from server_b.settings import ConsumerSettings

BEAT_EVERY_S = 1.0
DRAIN_S = 5.0
QUIET_AFTER_S = 10.0


class GivenBack(Exception):  # noqa: N818 - an outcome, not an error
    """The entry is to be left to another consumer: a stop was requested, or it was claimed."""


class WaitedTooLong(Exception):  # noqa: N818 - an outcome, not an error
    """The time of `--wait-s` is over."""


class Renewer(Protocol):
    """Where an entry is pending with us."""

    def renew(self, entry: Entry) -> bool:
        """Keep an entry from being claimed for another while; return whether it is still ours."""


class Lease:
    """What a consumer does at least once a second, and its hold on an entry while it has one."""

    def __init__(
        self, settings: ConsumerSettings, stop: StopRequest, log: FilteringBoundLogger, *, endpoint: str
    ) -> None:
        """Start now, holding nothing.

        Args:
            settings: For the heartbeat file, the wait and the claim.
            stop: Whether somebody asked us to stop.
            log: For the one hint when no signal comes.
            endpoint: Its name, for that hint.
        """
        self._settings = settings
        self._stop = stop
        self._log = log
        self._endpoint = endpoint
        self._held: tuple[Renewer, Entry] | None = None
        self._renew_every_s = settings.claim_idle_ms / 3_000
        self._beat_every_s = min(BEAT_EVERY_S, self._renew_every_s)
        now = time.monotonic()
        self._next_beat = self._next_renewal = now
        self._progress_at = self._started = now
        self._stop_seen: float | None = None
        self._is_quiet = True

    @property
    def is_stop_requested(self) -> bool:
        """Whether a stop was requested."""
        return self._stop.is_requested

    def hold(self, renewer: Renewer, entry: Entry) -> None:
        """Hold an entry until `release`: it is renewed while we work on it or wait for its list."""
        self._held = (renewer, entry)
        self._next_renewal = time.monotonic() + self._renew_every_s

    def release(self) -> None:
        """Hold nothing any more."""
        self._held = None

    def found_something(self) -> None:
        """Note that signals do come here."""
        self._is_quiet = False

    def made_progress(self) -> None:
        """Note that an entry was brought to its end; the wait of `--wait-s` begins anew."""
        self._progress_at = time.monotonic()

    def beat(self) -> None:
        """Touch the heartbeat file and renew the entry in hand, when it is time.

        Raises:
            GivenBack: The entry in hand was claimed by another consumer.
        """
        now = time.monotonic()
        if now < self._next_beat:
            return
        self._next_beat = now + self._beat_every_s
        if self._settings.heartbeat_file:
            touch_heartbeat(self._settings.heartbeat_file)
        if self._held is not None and now >= self._next_renewal:
            self._next_renewal = now + self._renew_every_s
            renewer, entry = self._held
            if not renewer.renew(entry):
                raise GivenBack("claimed by another consumer")
        if self._is_quiet and now - self._started > QUIET_AFTER_S:
            self._is_quiet = False
            self._log.info(
                "no signals at this endpoint; is it the database server-a writes to, or connected to it?",
                endpoint=self._endpoint,
            )

    def tick(self) -> None:
        """Do what is due between two chunks of a reading.

        Raises:
            GivenBack: As `beat`, or a stop was requested and the reading would take too long.
        """
        if time.monotonic() >= self._next_beat:
            self.beat()
        if self._stop.is_requested:
            self._stop_seen = self._stop_seen or time.monotonic()
            if time.monotonic() - self._stop_seen > DRAIN_S:
                raise GivenBack("a stop was requested")

    def pause(self, seconds: float) -> None:
        """Wait for a list that has not come yet.

        Raises:
            GivenBack: A stop was requested, or the entry in hand was claimed.
            WaitedTooLong: The time of `--wait-s` is over.
        """
        until = time.monotonic() + seconds
        while True:
            self.beat()
            if self._is_wait_over():
                raise WaitedTooLong("waited too long")
            left_s = until - time.monotonic()
            if left_s <= 0:
                return
            if self._stop.wait(min(left_s, self._beat_every_s)):
                raise GivenBack("a stop was requested")

    def check_wait(self) -> None:
        """End the waiting when the time of `--wait-s` is over.

        Raises:
            NotFinishedError: It is.
        """
        if self._is_wait_over():
            raise NotFinishedError(
                where=self._endpoint,
                expected=f"a complete run within {self._settings.wait_s:g} s",
                got="none",
                advice="is it the database server-a writes to, or connected to it?",
            )

    def _is_wait_over(self) -> bool:
        return self._settings.wait_s is not None and time.monotonic() - self._progress_at >= self._settings.wait_s


def touch_heartbeat(path: str) -> None:
    """Set the heartbeat file's modification time to now, making it if need be.

    Raises:
        InvalidInputError: It can't be written.
    """
    try:
        Path(path).touch()
    except OSError as error:
        raise InvalidInputError(
            where="--heartbeat-file", expected="a file that can be written", got=f"{path}: {error.strerror}"
        ) from error
