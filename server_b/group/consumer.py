"""The consumer's story: take an entry, examine what it announces, record the verdict, report.

Own pending entries come first, then those of consumers that went silent, then new ones. A verdict and the
acknowledgement of its entry are one transaction, so a kill at any moment costs a second reading and never a verdict.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from server_b.consumer_tools import ConsumerTools
from server_b.entry import Entry
from server_b.group.entries import EntrySource
from server_b.group.settling import EntrySettler
from server_b.group.signal_group import SignalGroup, deliveries_of
from server_b.lease import GivenBack, WaitedTooLong
from server_b.segment.examiner import NEVER_ARRIVED, StillMissingError
from server_b.segment.look import SegmentLook
from server_b.settings import ConsumerSettings
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.server_clock import ServerClock
from shared.endpoint.together import Together
from shared.errors import (
    EndpointUnreachableError,
    HandoverError,
    InvalidInputError,
    NotFinishedError,
    ReadOnlyEndpointError,
    TransientError,
    WrongKeyError,
)
from shared.keys import Keyspace
from shared.signal import Signal
from shared.verdict import MAX_OUTAGES, VERIFIED, SegmentVerdict

DEFAULT_RETAIN_MS = 7 * 24 * 60 * 60 * 1000


class Consumer:
    """Takes entries from the group until it is stopped or, with `--once`, a run is complete."""

    def __init__(self, endpoint: Endpoint, keys: Keyspace, settings: ConsumerSettings, tools: ConsumerTools) -> None:
        """Use what the session has opened."""
        self._endpoint = endpoint
        self._keys = keys
        self._settings = settings
        self._tools = tools
        self._lease = tools.lease
        self._log = tools.log
        self._group = SignalGroup(endpoint, keys, settings.consumer)
        self._entries = EntrySource(self._group, settings, tools.log)
        self._settler = EntrySettler(endpoint, keys, settings.consumer)
        self._clock = ServerClock()
        self._outages_told = 0
        self._has_begun = False

    def run(self) -> None:
        """Serve until `reporting` has its run, the lease says to stop, or the wait is over.

        Raises:
            NotFinishedError: Nothing came in time, or the endpoint answered but was not ready for too long.
            EndpointUnreachableError: The endpoint stayed away for as long as is retried.
            ReadOnlyEndpointError: It has become a replica, where no group can be served.
            HandoverError: It refuses a command.
        """
        try:
            while not self._tools.is_over:
                try:
                    self._begin()
                    while not self._tools.is_over:
                        self._turn()
                        self._tools.retry.succeeded()
                except ReadOnlyEndpointError:
                    raise
                except TransientError as error:
                    self._tools.wait_out(error)
                    if not self._entries.is_begun:
                        self._lease.check_wait()
        except (NotFinishedError, EndpointUnreachableError):
            self._end()
            raise
        self._end()

    def _begin(self) -> None:
        """Start anew, as after every lost connection: what is pending with us comes first."""
        start = self._group.join()
        self._entries.begin()
        self._tools.reporting.look_at_newest(start.newest, is_start=not self._has_begun)
        self._has_begun = True
        self._log.info("waiting for signals", consumer=self._settings.consumer, stream=self._keys.signals())

    def _turn(self) -> None:
        """Handle one entry, or notice that there is none."""
        self._lease.beat()
        entry = self._entries.next_entry()
        if entry is not None:
            self._lease.found_something()
            try:
                self._handle(entry)
            except TransientError as error:
                if self._entries.note_fault(entry):
                    raise error.lasting() from error
                raise
            except WrongKeyError as error:  # there is no place for a verdict, and no later delivery would find one
                self._dead_letter(entry, str(error))
        elif self._settings.is_once:
            self._tools.reporting.look_at_newest(self._group.newest_signal(), is_start=False)
            self._tools.reporting.look_at_watched()
        if not self._tools.reporting.is_done:
            self._lease.check_wait()

    def _handle(self, entry: Entry) -> None:
        """Bring one entry to its end: a verdict, a dead letter, or another delivery later."""
        if entry.fields is None:
            self._log.warning("entry was trimmed before it was processed", entry_id=entry.entry_id)
            self._acknowledge(entry)
            return
        try:
            signal = Signal.decode(entry.fields)
        except InvalidInputError as error:
            self._dead_letter(entry, str(error))
            return
        result, deliveries, replies = self._ask(entry, signal)
        self._tools.reporting.took_part(signal.run_id)
        found = SegmentVerdict.decode(result) if result is not None else None
        if found is not None and found.attempt >= signal.attempt:
            if entry.is_redelivered:
                self._tools.reporting.report_if_complete(signal.run_id)
            self._acknowledge(entry)
            return
        self._examine(entry, signal, deliveries, replies)

    def _ask(self, entry: Entry, signal: Signal) -> tuple[bytes | None, int, list[Any]]:
        """Return the standing verdict, how often the entry was delivered, and the replies of a look at the segment.

        Raises:
            WrongKeyError: Somebody else gave the result another type.
        """
        key = self._keys.result(signal.run_id)
        asked = Together(self._endpoint)
        asked.at(key).hget(key, str(signal.segment))
        SegmentLook.ask(asked, self._keys, signal)
        if entry.is_redelivered:
            self._group.ask_deliveries(asked, entry)
        result, *replies = asked.send(raise_on_error=False)
        if isinstance(result, HandoverError):
            raise result
        deliveries = 1
        if entry.is_redelivered:
            counted = replies.pop()
            if isinstance(counted, HandoverError):
                raise counted
            deliveries = self._entries.corrected(entry, deliveries_of(counted))
        return result, deliveries, replies

    def _examine(self, entry: Entry, signal: Signal, deliveries: int, replies: list[Any]) -> None:
        try:
            look = SegmentLook.decode(self._keys, signal, replies)
        except WrongKeyError as error:
            look = SegmentLook.blind(self._endpoint, self._keys)
            self._clock.set(look.taken_ms * 1_000)
            self._give_up(entry, signal, look, str(error), deliveries)
            return
        self._clock.set(look.taken_ms * 1_000)
        if deliveries > self._settings.max_deliveries:
            self._give_up(entry, signal, look, f"delivered {deliveries - 1} times without a verdict", deliveries)
            return
        self._tools.progress.begin(signal)
        self._lease.hold(self._group, entry)
        try:
            verdict = self._tools.examiner.examine(
                signal, look, lag_ms=_lag_ms(entry, look), settle_s=self._settings.settle_s
            )
            if verdict is not None:
                self._record(entry, signal, look, verdict, deliveries)
            else:
                self._acknowledge(entry)
        except StillMissingError:
            if deliveries >= self._settings.max_deliveries:
                self._give_up(entry, signal, look, NEVER_ARRIVED, deliveries)
            else:
                self._entries.leave(entry)
                self._log.warning("list not there yet, left pending", run_id=signal.run_id, segment=signal.segment)
        except WrongKeyError as error:
            self._give_up(entry, signal, look, str(error), deliveries)
        except (GivenBack, WaitedTooLong) as reason:
            self._entries.give_back(entry, deliveries=deliveries)
            self._log.info("entry given back", entry_id=entry.entry_id, reason=str(reason))
            if isinstance(reason, WaitedTooLong):
                self._lease.check_wait()
        finally:
            self._lease.release()

    def _record(
        self,
        entry: Entry,
        signal: Signal,
        look: SegmentLook,
        verdict: SegmentVerdict,
        deliveries: int,
        *,
        dead_reason: str = "",
    ) -> None:
        """Record a verdict with the entry's acknowledgement, and report the run if that completed it."""
        self._tools.retry.succeeded()  # the look was answered: an outage before it is over, and is named
        verdict = replace(
            verdict, deliveries=deliveries, claimed_from=entry.claimed_from, outages=self._outages_of(entry)
        )
        recorded = self._tools.retry.keep_trying(
            self._settler.record,
            entry,
            signal.run_id,
            verdict,
            retain_ms=look.record.retain_ms if look.record else DEFAULT_RETAIN_MS,
            dead_reason=dead_reason,
        )
        self._finish(entry)
        tell = self._log.debug if verdict.verdict == VERIFIED else self._log.warning
        tell(
            "segment examined",
            run_id=signal.run_id,
            segment=signal.segment,
            segments=signal.segments,
            verdict=verdict.verdict,
            reason=verdict.reason,
        )
        if recorded.is_written and recorded.fields >= signal.segments:
            self._tools.reporting.report_if_complete(signal.run_id)

    def _give_up(self, entry: Entry, signal: Signal, look: SegmentLook, reason: str, deliveries: int) -> None:
        """End an entry that can't be examined: verdict failed, and a dead letter."""
        self._log.warning("dead letter", entry_id=entry.entry_id, reason=reason)
        verdict = self._tools.examiner.given_up(signal, look, reason, lag_ms=_lag_ms(entry, look))
        self._record(entry, signal, look, verdict, deliveries, dead_reason=reason)

    def _dead_letter(self, entry: Entry, reason: str) -> None:
        self._log.warning("dead letter", entry_id=entry.entry_id, reason=reason)
        self._tools.retry.keep_trying(self._settler.dead_letter, entry, reason)
        self._finish(entry)

    def _acknowledge(self, entry: Entry) -> None:
        self._settler.acknowledge(entry)
        self._finish(entry)

    def _finish(self, entry: Entry) -> None:
        self._entries.forget(entry)
        self._lease.made_progress()

    def _outages_of(self, entry: Entry) -> list[list[int]]:
        """Return the outages while we had an entry, in the server's time; our verdicts name each outage once."""
        untold = self._tools.retry.outages[self._outages_told :]
        self._outages_told += len(untold)
        outages = [outage for outage in untold if outage.ended_s >= entry.taken_s]
        clock = self._clock
        return [[clock.ms_at(o.began_s), clock.ms_at(o.ended_s)] for o in outages[-MAX_OUTAGES:]]

    def _end(self) -> None:
        """Leave the group without a trace, unless something is pending with us."""
        try:
            self._entries.close()
            self._group.leave()
        except TransientError as error:
            self._log.warning("name left in the group", consumer=self._settings.consumer, reason=str(error))


def _lag_ms(entry: Entry, look: SegmentLook) -> int:
    return max(0, look.taken_ms - entry.sent_ms)
