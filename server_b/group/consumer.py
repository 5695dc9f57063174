"""Serving the group: which entry is next, and what a lost connection costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from server_b.entry import Entry
from server_b.group.entries import EntrySource
from server_b.group.signal_group import SignalGroup
from server_b.lease import Lease
from server_b.report.once import Reports
from server_b.serving import Serving
from server_b.settings import ConsumerSettings
from shared.endpoint.retry import Retry
from shared.errors import ReadOnlyEndpointError, TransientError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


class Consumer:
    """Hands out entries until serving is over, and begins anew after every lost connection."""

    def __init__(
        self,
        group: SignalGroup,
        source: EntrySource,
        settings: ConsumerSettings,
        *,
        serving: Serving,
        lease: Lease,
        retry: Retry,
        reports: Reports,
        log: FilteringBoundLogger,
    ) -> None:
        """Serve a group through a source of its entries."""
        self._group = group
        self._source = source
        self._settings = settings
        self._serving = serving
        self._lease = lease
        self._retry = retry
        self._reports = reports
        self._log = log
        self._fault: TransientError | None = None
        self._has_begun = False

    def entries(self) -> Iterator[Entry]:
        """Yield entries, each to be handled in a block of `holding` before the next one is asked for.

        Raises:
            NotFinishedError: Nothing came in time, or the endpoint answered but was not ready for too long.
            EndpointUnreachableError: The endpoint stayed away for as long as is retried.
            ReadOnlyEndpointError: It has become a replica, where no group can be served.
            HandoverError: It refuses a command.
        """
        while not self._serving.is_over:
            try:
                self._begin()
                while not self._serving.is_over:
                    self._lease.beat()
                    entry = self._source.next_entry()
                    if entry is not None:
                        self._lease.found_something()
                        yield entry
                        self._raise_fault()
                    elif self._settings.is_once:
                        self._reports.look_at_newest(self._group.newest_signal(), is_start=False)
                        self._reports.look_at_watched()
                    if not self._reports.is_done:
                        self._lease.check_wait()
                    self._retry.succeeded()
            except ReadOnlyEndpointError:
                raise
            except TransientError as error:
                self._serving.wait_out(error)
                if not self._source.is_begun:
                    self._lease.check_wait()

    @contextmanager
    def holding(self, entry: Entry) -> Iterator[None]:
        """Hold the lease on an entry for the time of the block; a lost connection in it has the entry read again.

        Raises:
            EndpointUnreachableError: That has gone on for too long with this entry.
            ReadOnlyEndpointError: The endpoint has become a replica.
        """
        self._lease.hold(self._group, entry)
        try:
            yield
        except ReadOnlyEndpointError:
            raise
        except TransientError as error:
            if self._source.note_fault(entry):
                raise error.lasting() from error
            self._fault = error
        finally:
            self._lease.release()

    def leave(self) -> None:
        """Leave the group without a trace, unless something is pending with us."""
        try:
            self._source.close()
            self._group.leave()
        except TransientError as error:
            self._log.warning("name left in the group", consumer=self._settings.consumer, reason=str(error))

    def _begin(self) -> None:
        """Start anew, as after every lost connection: what is pending with us comes first."""
        start = self._group.join()
        self._source.begin()
        self._reports.look_at_newest(start.newest, is_start=not self._has_begun)
        self._has_begun = True
        self._log.info("waiting for signals", consumer=self._settings.consumer, stream=self._group.stream)

    def _raise_fault(self) -> None:
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault
