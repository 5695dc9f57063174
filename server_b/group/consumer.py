"""Serving the group: which entry is next, and what a lost connection costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from server_b.group.consumer_name import KEEP_EVERY_S, ConsumerName
from server_b.group.entries import EntrySource
from server_b.group.entry import Entry
from server_b.group.known import acknowledge_known
from server_b.group.signal_group import SignalGroup
from server_b.group.trimmed import tell_unread
from server_b.lease import GivenBack, Lease
from server_b.report.once import Reports
from server_b.serving import Serving
from server_b.settings import ConsumerSettings
from shared.endpoint.retry import Retry
from shared.errors import FullServerError, HandoverError, NotFinishedError, ReadOnlyEndpointError, TransientError
from shared.signal import Signal

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


@dataclass
class Consumer:
    """Hands out entries until serving is over, and starts again after every lost connection."""

    group: SignalGroup
    name: ConsumerName
    source: EntrySource
    settings: ConsumerSettings
    serving: Serving
    lease: Lease
    retry: Retry
    reports: Reports
    log: FilteringBoundLogger
    _fault: TransientError | None = field(init=False, default=None)

    def entries(self) -> Iterator[Entry]:
        """Yield entries, each to be handled in a block of `holding` before the next one is asked for.

        Raises:
            NotFinishedError: Nothing came in time, or the endpoint answered but was not ready for too long.
            ReadOnlyEndpointError: It has become a replica, where no group can be served.
            WrongEndpointError: Another process uses our name.
        """
        is_start = True
        while not self.serving.is_over:
            try:
                self._begin(is_start=is_start)
                is_start = False
                while not self.serving.is_over:
                    self.lease.beat()
                    entry = self.source.next_entry()
                    if entry is not None:
                        self.retry.succeeded()  # what is cut from now on is a fault of this entry's reading
                        self.lease.found_something()
                        yield entry
                        if self._fault is not None:
                            raise self._fault
                    else:
                        if self.settings.is_once:
                            self.reports.look_at_newest(self.group.newest_signal(), is_start=False)
                        self.reports.look_at_watched()
                    if self.reports.final is None:
                        self.lease.check_wait()
                    self.retry.succeeded()
            except ReadOnlyEndpointError:
                self.lease.release_waiting()
                raise
            except (TransientError, FullServerError) as error:
                fault = error.passing() if isinstance(error, FullServerError) else error
                self.serving.wait_out(fault)
                self.serving.back_off(fault, self.source.faults, self.lease)

    def _begin(self, *, is_start: bool) -> None:
        newest = self._join()
        self.lease.release_waiting()
        self.source.begin()
        if is_start:
            tell_unread(self.log, self.group.unread_trimmed)
            self.reports.look_at_named()
        self.reports.look_at_newest(newest, is_start=is_start)
        self.lease.complete_before = self.reports.complete_before
        if self.reports.final is None:
            self.log.info("waiting for signals", consumer=self.group.consumer, stream=self.group.stream)

    def _join(self) -> Signal | None:
        newest = self.group.join()
        if self.name.is_given:
            self.name.take()
            self.lease.hold_name(self.name.keep, every_s=KEEP_EVERY_S)
        if newest is not None:  # read before we started, maybe: signals do come here
            self.lease.found_something()
        return newest

    @contextmanager
    def holding(self, entry: Entry) -> Iterator[None]:
        """Hold the lease on an entry during the block; if a fault that may pass ends it, the entry is read again.

        That is a lost connection, or a server that is not ready or full. Whatever other error ends the block, the
        delivery does not count: it says nothing about the entry, and `leave` gives that back.

        Raises EndpointUnreachableError if there were too many faults with this entry, NotFinishedError if a server
        answered at the last one.
        """
        self._fault = None
        self.hold(entry)
        try:
            yield
        except ReadOnlyEndpointError:
            raise
        except (TransientError, FullServerError) as error:
            fault = error.passing() if isinstance(error, FullServerError) else error
            if self.source.note_fault(entry):
                raise fault.lasting() from error
            self._fault = fault  # `entries` raises it when the block has ended, and starts again
        except HandoverError as error:
            self.source.note_fault(entry)
            if not (isinstance(error, NotFinishedError) and self.serving.stop.is_requested):
                raise
            # a stop ended the retries
            self.log.warning("entry given back", entry_id=entry.entry_id, reason=str(error))
        except GivenBack as reason:  # another consumer claimed the entry during an outage
            self.log.info("entry given back", entry_id=entry.entry_id, reason=str(reason))
        finally:
            if entry.entry_id not in self.source.missing:
                self.release(entry)

    def hold(self, entry: Entry, *, is_in_hand: bool = True) -> None:
        """Hold the lease on an entry until `release`."""
        self.lease.hold(entry.entry_id, lambda: self.group.renew(entry), is_in_hand=is_in_hand)

    def release(self, entry: Entry) -> None:
        """Hold it no more."""
        self.lease.release(entry.entry_id)

    def leave_after_error(self) -> None:
        """Leave the group after an error that ends us: the same one may refuse that too, and is told already."""
        with suppress(HandoverError):
            self.leave()

    def leave(self) -> None:
        """Leave the group; see `SignalGroup.leave` and, where something is pending with us, `acknowledge_known`."""
        try:
            self.source.close()
            if not self.group.leave() and (entries := acknowledge_known(self.group)):
                self.log.info("entries acknowledged again", entries=entries)
                self.group.leave()
        except TransientError as error:
            self.log.warning("name left in the group", consumer=self.group.consumer, reason=str(error))
