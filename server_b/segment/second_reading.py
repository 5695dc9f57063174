"""Reads a list once more after a reading has found it wrong, for the witness of its verdict."""

from __future__ import annotations

from dataclasses import dataclass

from server_b.lease import Lease
from server_b.segment.listing import Listing
from server_b.segment.look import SegmentLook
from server_b.segment.reading import Reading
from server_b.segment.witness import WitnessMaker
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.errors import SegmentChangedError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.witness import Witness


@dataclass
class SecondReading:
    """Makes witnesses; the lease of the entry is renewed meanwhile, as long as values come."""

    endpoint: Endpoint
    keys: Keyspace
    lease: Lease
    retry: Retry

    def witness(self, signal: Signal, look: SegmentLook, wrong: Reading) -> Witness:
        """Return what is wrong with a list.

        Raises:
            SegmentChangedError: It has changed since the reading that found it wrong, or is as announced by now: then
                a reading that counts finds that too.
            GivenBack: Another consumer claimed the entry, or the reading takes too long after a stop request.
        """
        listing = Listing(self.endpoint, self.keys, signal, look.size, wrong.opening.length)
        maker = WitnessMaker(listing, look.record)
        for values in listing.values():
            maker.add(values)
            wrong.keep_alive()
            self.retry.succeeded()
            self.lease.tick()
        witness = maker.witness(listing.announced_blocks())
        if witness is None:
            raise SegmentChangedError(where=listing.key, expected="a list at rest", got="one that was mended")
        return witness
