"""Writes the sample shop: first looks which of its records are there, then writes the others whole.

A key that exists is left as it is, whoever made it: the database may be somebody else's too. Looking for each key was
preferred to HSETNX, which would add our fields to somebody's hash; only to one that is made between the look and the
writing they are added all the same. A repeated pass, after an outage or a resume, writes what is missing: what a
failover lost, or what a stop or fault had kept from being written.

What was there already is counted in the first look at each portion, and `on_counted` notes that before anything of the
portion is written: a run that is killed in the middle of it and resumed does not take its own records for others'.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import KW_ONLY, dataclass, field
from typing import TypeVar

from server_a.shop.sample import Sample
from server_a.shop.sample_commands import SampleCommands, text_of
from server_a.shop.sample_parts import Part, leave_existing
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.pipelined import Pipelines
from shared.endpoint.retry import Retry
from shared.endpoint.translation import is_reply
from shared.errors import InvalidInputError, WrongEndpointError
from shared.keys import Keyspace
from shared.record import ShopCount
from shared.stopping import StopRequest

T = TypeVar("T")

PORTION_RECORDS = 50_000
BATCH_RECORDS = 1_000
FEW_RECORDS = 100  # asked about one by one: a count that says some would cost another round trip


def check_shop_size(*, users: int, skus: int, carts: int) -> None:
    """Raise InvalidInputError if there are more carts than users, or carts but no SKUs."""
    if carts > users:
        expected, advice = f"at most the {users} of --users", "each cart has a user; raise --users or lower --carts"
        raise InvalidInputError(where="--carts", expected=expected, got=str(carts), advice=advice)
    if carts and not skus:
        advice = "carts hold SKUs; give --carts 0 too"
        raise InvalidInputError(where="--skus", expected="at least 1 with --carts", got="0", advice=advice)


@dataclass(eq=False)
class SampleWriter:
    """Writes one sample, in portions: a fault repeats one portion and not the whole shop."""

    endpoint: Endpoint
    keys: Keyspace
    sample: Sample
    _: KW_ONLY
    overwrite: bool  # whether to write over what is there; then nothing is looked for
    retry: Retry
    stop: StopRequest
    count: ShopCount = field(default_factory=ShopCount)
    on_counted: Callable[[ShopCount], None] = lambda _count: None
    _commands: SampleCommands = field(init=False)
    _asks_each: bool = field(init=False)
    _looked: list[Part] = field(init=False, default_factory=list)  # the first portion, between `look` and `write`
    _written: int = field(init=False, default=0)  # records that this pass has brought to their end

    def __post_init__(self) -> None:
        self._asks_each = self.endpoint.kind.is_cluster  # where keys of several slots can't be in one command
        self._commands = SampleCommands(self.keys, self.sample)

    def look(self) -> ShopCount:
        """Look which records of the first portion are there, and return what is counted so far.

        A record of the run that is begun now can hold the count at once, which saves a small run a round trip.

        Redis: As in `write`, without an HSET: one round trip, for many records two where only some are there.
        """
        if self.sample.records and not self.overwrite:
            self._looked = self._keep_trying(self._look_first)
        return self.count

    def write(self) -> None:
        """Write every record that is not there, or with `overwrite` every record.

        A stop request is noticed after each batch. Calling it again looks and writes again.

        Redis: One EXISTS for 1,000 records, or for each of them on a cluster and where only some are there; one HSET
        for each that is written. All are sent as far ahead as the link needs; a portion is looked for while the one
        before is written.
        """
        self._written = 0
        if self.sample.records:
            self._keep_trying(self._write_rest)

    def _keep_trying(self, operation: Callable[[], T]) -> T:
        try:
            return self.retry.keep_trying(operation)
        except WrongEndpointError as error:  # a cluster behind one endpoint, which does not say that it is one
            if self._asks_each or not is_reply(error, "Keys in request don't hash to the same slot"):
                raise
        self._asks_each = True
        return self.retry.keep_trying(operation)

    def _look_first(self) -> list[Part]:
        with closing(Pipelines(self.endpoint, self._replied)) as pipelines:
            parts = self._ask(pipelines, 0)
            self._count(leave_existing(pipelines, parts), first=0)
            return parts

    def _write_rest(self) -> None:
        portions = range(self._written, self.sample.records, PORTION_RECORDS)
        under_way: deque[tuple[int, list[Part]]] = deque()
        with closing(Pipelines(self.endpoint, self._replied)) as pipelines:
            ahead, self._looked = self._looked or self._ask(pipelines, self._written), []
            for first in portions:
                parts, ahead = ahead, self._ask(pipelines, first + PORTION_RECORDS)
                if self._count(leave_existing(pipelines, parts), first=first):
                    self.on_counted(self.count)
                for part in parts:
                    part.write(pipelines)
                under_way.append((first, parts))
                while under_way and all(part.is_done for part in under_way[0][1]):
                    self._written = under_way.popleft()[0] + PORTION_RECORDS
            pipelines.drain()

    def _ask(self, pipelines: Pipelines, first: int) -> list[Part]:
        """Ask about the records of a portion, without waiting, and return its parts; none behind the last record."""
        end = min(first + PORTION_RECORDS, self.sample.records)
        starts = range(first, end, BATCH_RECORDS)
        parts = [part for start in starts for part in self._parts(range(start, min(start + BATCH_RECORDS, end)))]
        if not self.overwrite:
            for part in parts:
                if self._asks_each or len(part.records) <= FEW_RECORDS:
                    part.ask_each(pipelines)
                else:
                    part.ask_count(pipelines)
        return parts

    def _parts(self, batch: range) -> list[Part]:
        """Return a batch in parts, one for each server that holds some of it."""
        if not self.endpoint.kind.is_cluster:
            return [Part(self._commands, batch)]
        by_server: dict[str, list[int]] = defaultdict(list)
        for record, key in zip(batch, self._commands.keys(batch), strict=True):
            by_server[self.endpoint.node_of(text_of(key))].append(record)
        return [Part(self._commands, records) for records in by_server.values()]

    def _count(self, existing: list[int], *, first: int) -> bool:
        """Count what of a portion was there, unless a look before this one has; return whether it was counted."""
        end, looked = min(first + PORTION_RECORDS, self.sample.records), self.count.looked
        if self.overwrite or end <= looked:
            return False
        self.count = ShopCount(end, self.count.kept + sum(record >= looked for record in existing))
        return True

    def _replied(self) -> None:
        self.retry.succeeded()
        self.stop.check("shop")
