"""What the report and the page draw: facts of one run, of the endpoint, and of the last runs.

All of it is bounded, however large the run is: past 1,000 segments several share one part. Moments are milliseconds of
the server's clock since 1970. `report --json` prints these fields under these names.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from shared.shop.cart_text import cart_json
from shared.shop.records import Cart
from shared.status.facts import GroupStatus, RunStatus
from shared.witness import Witness

MAX_PARTS = 1_000
Span = tuple[int, int]
"""From and to, in milliseconds."""


@dataclass(frozen=True)
class EndpointFacts:
    """One endpoint, as HELLO and TIME tell."""

    url: str  # without user and password
    server: str  # `redis` or `valkey`; empty where a proxy does not say
    version: str
    mode: str
    role: str
    is_encrypted: bool
    round_trip_ms: float  # the least of a few
    clock_ms: int  # its TIME when it was asked
    host_ms: int = 0  # and what the clock of this host said then


@dataclass(frozen=True)
class Part:
    """Consecutive segments: one, or several where the run has more than 1,000."""

    first: int
    last: int
    values: int
    verified: int  # segments of each state; together they are all of the part
    failed: int
    superseded: int
    published: int  # without a verdict that counts
    unpublished: int
    written_ms: Span | None  # from the beginning of the attempt to its signal
    signalled_ms: int | None  # the first signal
    taken_ms: int | None  # by a consumer, the first
    read_ms: Span | None  # from the first LRANGE to the verdict
    lag_ms: int | None  # the longest
    consumer: str
    claimed_from: str  # empty where the signal was not claimed
    deliveries: int  # the most
    reading: int = 0  # of those published, segments that a consumer is reading now
    values_read: int = 0  # of these


@dataclass(frozen=True)
class Claim:
    """A signal that a consumer took over from another one."""

    segment: int
    at_ms: int
    consumer: str
    claimed_from: str


@dataclass(frozen=True)
class Outage:
    """A time in which a program had no server."""

    program: str  # `server-a`, or the name of a consumer
    from_ms: int
    to_ms: int


@dataclass(frozen=True)
class Deed:
    """Something that was done by hand while the run went on, on the stage in `demo/` alone; no fact of Redis."""

    number: int
    name: str
    from_ms: int
    to_ms: int  # 0 while it lasts


@dataclass(frozen=True)
class Reader:
    """A consumer that has read segments of the run, or reads its first one."""

    name: str
    segments: int
    values: int
    read_ms: tuple[Span, ...]  # when it read; spans that nearly touch are one


@dataclass(frozen=True)
class UnderWay:
    """A segment that a consumer is reading, as it last said; it says so twice a second while values come."""

    consumer: str
    segment: int
    values: int  # that it has read and verified
    count: int  # of the segment
    began_ms: int
    at_ms: int  # when it said so

    @property
    def share(self) -> float:
        """How much of the segment is read, from 0 to 1."""
        return self.values / self.count


@dataclass(frozen=True)
class Rates:
    """Values written and read, in steps of equal length from the beginning of the time line."""

    step_ms: int
    written: tuple[int, ...]  # values in each step
    read: tuple[int, ...]


@dataclass(frozen=True)
class Letter:
    """A dead letter."""

    origin: str
    reason: str
    consumer: str


@dataclass(frozen=True)
class RunFacts:
    """One run."""

    run_id: str
    verdict: str  # `verified`, `failed`, `superseded`, `pending` or `unknown`
    reason: str
    witness: Witness | None
    command: str  # as it was typed, without a password; empty where the record does not say
    source: str  # `numbers` or `values`; empty without the record
    has_record: bool
    is_finished: bool  # A's audit is done
    count: int
    segments: int
    published: int
    verified: int
    failed: int
    superseded: int
    shop_kept: int
    began_ms: int
    finished_ms: int  # of A; 0 until then
    ended_ms: int  # the last thing that is known to have happened
    digest_a: str  # as it was announced, empty until every segment was
    digest_b: str  # of what was read, empty unless all of it is verified
    values_left: int  # values without a verdict
    write_s: float
    read_s: float
    written_per_s: int
    read_per_s: int
    lag_ms: int | None
    outage_s_a: float
    outage_s_b: float
    parts: tuple[Part, ...]
    segments_per_part: int
    readers: tuple[Reader, ...]  # those that read most, at most eight
    readers_left_out: int
    claims: tuple[Claim, ...]
    claims_left_out: int
    outages: tuple[Outage, ...]
    outages_left_out: int
    rates: Rates
    first: tuple[str, ...]  # the run's first values in reverse
    last: str
    carts: tuple[Cart, ...]
    users: int  # that the run was to write, as skus and carts are
    skus: int
    cart_count: int
    under_way: tuple[UnderWay, ...] = ()  # by segment, at most 100


@dataclass(frozen=True)
class PageFacts:
    """Everything on one page."""

    version: str  # of this product
    namespace: str
    endpoint: EndpointFacts
    peer: EndpointFacts | None  # A's, where it was named
    run: RunFacts | None
    runs: tuple[RunStatus, ...]  # the last ones, newest first
    group: GroupStatus
    is_followed: bool  # whether B follows a replica here
    dead_letters: int
    letters: tuple[Letter, ...]  # the last ten
    wrong: tuple[str, ...] = ()  # sentences of `status`, where the run is the newest
    under_way: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())  # what was not looked at
    peer_away: str = ""  # why A's endpoint does not answer; empty while it does, and where it was not named

    @property
    def clock_difference_ms(self) -> int | None:
        """How much B's server is ahead of A's; None where A's was not asked. They were asked one after the other."""
        if self.peer is None:
            return None
        return (self.endpoint.clock_ms - self.endpoint.host_ms) - (self.peer.clock_ms - self.peer.host_ms)

    def as_json(self) -> dict[str, Any]:
        """Return the object that `report --json` prints."""
        found = asdict(self) | {"clock_difference_ms": self.clock_difference_ms}
        if self.run is not None:
            found["run"]["carts"] = [cart_json(cart) for cart in self.run.carts]
        return found
