"""The consumer's story: take an entry, examine what it announces, record the verdict, report, acknowledge.

Own pending entries come first, then those of consumers that went silent, then new ones. An entry is acknowledged only
after its verdict is durable, so a kill at any moment costs a second reading and never a verdict.
"""

from __future__ import annotations

import time

from server_b.consumer_tools import ConsumerTools
from server_b.dead_letters import DeadLetters
from server_b.entry_source import EntrySource
from server_b.own_verdicts import OwnVerdicts
from server_b.pulse import GivenBack, WaitedTooLong
from server_b.results import Results
from server_b.segment_examiner import NEVER_ARRIVED, StillMissingError
from server_b.settings import ConsumerSettings
from server_b.signal_group import Entry, SignalGroup
from shared.endpoint.client import Endpoint
from shared.errors import (
    ConnectionLostError,
    EndpointUnreachableError,
    InvalidInputError,
    NotFinishedError,
    ReadOnlyEndpointError,
    WrongKeyError,
)
from shared.keys import Keyspace
from shared.run_signal import Signal
from shared.verdict import VERIFIED, SegmentVerdict

REPAIR_EVERY_S = 30.0
DEFAULT_RETAIN_MS = 7 * 24 * 60 * 60 * 1000


class Consumer:
    """Takes entries from the group until it is stopped or, with `--once`, a run is complete."""

    def __init__(
        self,
        endpoint: Endpoint,
        keys: Keyspace,
        settings: ConsumerSettings,
        tools: ConsumerTools,
    ) -> None:
        """Use what the session has opened."""
        self._settings = settings
        self._tools = tools
        self._pulse = tools.pulse
        self._patience = tools.patience
        self._reporting = tools.reporting
        self._examiner = tools.examiner
        self._progress = tools.progress
        self._log = tools.log
        self._endpoint = endpoint
        self._signals_key = keys.signals()
        self._group = SignalGroup(endpoint, keys, settings.consumer)
        self._entries = EntrySource(self._group, settings, tools.log)
        self._results = Results(endpoint, keys)
        self._own_verdicts = OwnVerdicts(endpoint, keys)
        self._dead_letters = DeadLetters(endpoint, keys)
        self._has_begun = False
        self._repair_at = 0.0

    def run(self) -> None:
        """Serve until `reporting` has its run, the pulse says to stop, or the wait is over.

        Raises:
            NotFinishedError: Nothing came in time, or the endpoint answered but was not ready for too long.
            EndpointUnreachableError: The endpoint stayed away for as long as patience lasts.
            ReadOnlyEndpointError: It has become a replica, where no group can be served.
            HandoverError: It refuses a command.
        """
        try:
            while not self._tools.is_over:
                try:
                    self._begin()
                    while not self._tools.is_over:
                        self._turn()
                        self._patience.succeeded()
                except ReadOnlyEndpointError:
                    raise
                except ConnectionLostError as error:
                    self._tools.wait_out(error)
                    if not self._entries.is_begun:
                        self._pulse.check_wait()
        except (NotFinishedError, EndpointUnreachableError):
            self._end()
            raise
        self._end()

    def _begin(self) -> None:
        """Start anew, as after every lost connection: what is pending with us comes first."""
        self._group.create()
        self._group.remove_silent_consumers()
        self._entries.begin()
        self._record_lost_verdicts()
        self._reporting.look_at_newest(self._group.newest_signal(), is_start=not self._has_begun)
        self._has_begun = True
        self._log.info("waiting for signals", consumer=self._settings.consumer, stream=self._signals_key)

    def _record_lost_verdicts(self) -> None:
        """Record again what another server's failover lost; ours may not notice any."""
        self._repair_at = time.monotonic() + REPAIR_EVERY_S
        for run_id in self._own_verdicts.record_again():
            self._log.warning("verdicts lost, recorded again", run_id=run_id)
            self._reporting.report_if_complete(run_id)

    def _turn(self) -> None:
        """Handle one entry, or notice that there is none."""
        self._pulse.beat()
        entry = self._entries.next_entry()
        if entry is not None:
            self._pulse.found_something()
            try:
                self._handle(entry)
            except ConnectionLostError as error:
                if self._entries.note_fault(entry):
                    raise error.lasting() from error
                raise
            except WrongKeyError as error:  # there is no place for a verdict, and no later delivery would find one
                self._dead_letter(entry, str(error))
        else:
            if time.monotonic() >= self._repair_at:
                self._record_lost_verdicts()
            if self._settings.is_once:
                self._reporting.look_at_newest(self._group.newest_signal(), is_start=False)
                self._reporting.look_at_watched()
        if not self._reporting.is_done:
            self._pulse.check_wait()

    def _handle(self, entry: Entry) -> None:
        """Bring one entry to its end: a verdict, a dead letter, or another delivery later."""
        if entry.fields is None:
            self._log.warning("entry was trimmed before it was processed", entry_id=entry.entry_id)
            self._entries.acknowledge(entry)
            return
        try:
            signal = Signal.decode(entry.fields)
        except InvalidInputError as error:
            self._dead_letter(entry, str(error))
            return
        deliveries = self._entries.deliveries(entry)
        self._reporting.took_part(signal.run_id)
        found = self._results.read_one(signal.run_id, signal.segment)
        if found is not None and found.attempt >= signal.attempt:
            if entry.is_redelivered:
                self._reporting.report_if_complete(signal.run_id)
            self._finish(entry)
            return
        self._examine(entry, signal, deliveries)

    def _examine(self, entry: Entry, signal: Signal, deliveries: int) -> None:
        lag_ms = max(0, self._endpoint.server_ms(self._signals_key) - entry.sent_ms)
        if deliveries > self._settings.max_deliveries:
            self._give_up(entry, signal, f"delivered {deliveries - 1} times without a verdict", lag_ms)
            return
        self._progress.begin(signal)
        self._pulse.holds(lambda: self._group.renew(entry))
        try:
            verdict = self._examiner.examine(signal, lag_ms=lag_ms, settle_s=self._settings.settle_s)
        except StillMissingError:
            if deliveries >= self._settings.max_deliveries:
                self._give_up(entry, signal, NEVER_ARRIVED, lag_ms)
            else:
                self._entries.leave(entry)
                self._log.warning("list not there yet, left pending", run_id=signal.run_id, segment=signal.segment)
            return
        except WrongKeyError as error:
            self._give_up(entry, signal, str(error), lag_ms)
            return
        except (GivenBack, WaitedTooLong) as reason:
            self._entries.give_back(entry, deliveries=deliveries)
            self._log.info("entry given back", entry_id=entry.entry_id, reason=str(reason))
            if isinstance(reason, WaitedTooLong):
                self._pulse.check_wait()
            return
        finally:
            self._pulse.holds(None)
        if verdict is not None:
            self._record(signal, verdict)
        self._finish(entry)

    def _record(self, signal: Signal, verdict: SegmentVerdict) -> None:
        """Write a verdict and report the run if that completed it."""
        retain_ms = self._results.retain_ms(signal.run_id) or DEFAULT_RETAIN_MS
        recorded = self._results.record(signal.run_id, verdict, retain_ms=retain_ms)
        tell = self._log.debug if verdict.verdict == VERIFIED else self._log.warning
        tell(
            "segment examined",
            run_id=signal.run_id,
            segment=signal.segment,
            segments=signal.segments,
            verdict=verdict.verdict,
            reason=verdict.reason,
        )
        is_run_complete = recorded.fields >= signal.segments
        self._own_verdicts.add(signal.run_id, verdict, is_run_complete=is_run_complete)
        if recorded.is_written and is_run_complete:
            self._reporting.report_if_complete(signal.run_id)

    def _give_up(self, entry: Entry, signal: Signal, reason: str, lag_ms: int) -> None:
        """End an entry that can't be examined: verdict failed, and a dead letter."""
        self._record(signal, self._examiner.given_up(signal, reason, lag_ms=lag_ms))
        self._dead_letter(entry, reason)

    def _dead_letter(self, entry: Entry, reason: str) -> None:
        self._log.warning("dead letter", entry_id=entry.entry_id, reason=reason)
        self._dead_letters.add(
            origin=entry.entry_id, reason=reason, consumer=self._settings.consumer, fields=entry.fields or {}
        )
        self._finish(entry)

    def _finish(self, entry: Entry) -> None:
        self._entries.acknowledge(entry)
        self._pulse.made_progress()

    def _end(self) -> None:
        """Leave the group without a trace, unless something is pending with us."""
        try:
            self._entries.close()
            self._group.leave()
        except ConnectionLostError as error:
            self._log.warning("name left in the group", consumer=self._settings.consumer, reason=str(error))
