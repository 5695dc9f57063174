"""What a consumer does besides its work, once a second or more often: heartbeat, renewed claim, looking at the clock.

Kept apart from the work and called between its steps. A thread was rejected: it would go on renewing the claim and the
heartbeat of a consumer that is stuck, which is what both are there to show.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

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


class Pulse:
    """The consumer's clock."""

    def __init__(
        self, settings: ConsumerSettings, stop: StopRequest, log: FilteringBoundLogger, *, endpoint: str
    ) -> None:
        """Start now.

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
        self._renew: Callable[[], bool] | None = None
        self._beat_every_s = min(BEAT_EVERY_S, self._renew_every_s)
        now = time.monotonic()
        self._next_beat = self._next_renewal = now
        self._progress_at = self._started = now
        self._stop_seen: float | None = None
        self._is_quiet = True

    @property
    def _renew_every_s(self) -> float:
        return self._settings.claim_idle_ms / 3_000

    @property
    def is_stop_requested(self) -> bool:
        """Whether a stop was requested."""
        return self._stop.is_requested

    def holds(self, renew: Callable[[], bool] | None) -> None:
        """Note how the claim of the entry in hand is renewed, or None when there is none."""
        self._renew = renew
        self._next_renewal = time.monotonic() + self._renew_every_s

    def found_something(self) -> None:
        """Note that signals do come here."""
        self._is_quiet = False

    def made_progress(self) -> None:
        """Note that an entry was brought to its end; the wait of `--wait-s` begins anew."""
        self._progress_at = time.monotonic()

    def beat(self) -> None:
        """Touch the heartbeat file and renew the claim in hand, when it is time.

        Raises:
            GivenBack: The entry in hand was claimed by another consumer.
        """
        now = time.monotonic()
        if now < self._next_beat:
            return
        self._next_beat = now + self._beat_every_s
        if self._settings.heartbeat_file:
            touch_heartbeat(self._settings.heartbeat_file)
        if self._renew is not None and now >= self._next_renewal:
            self._next_renewal = now + self._renew_every_s
            if not self._renew():
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
