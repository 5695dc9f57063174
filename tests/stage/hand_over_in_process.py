"""Both programs' work inside the test's own process, and a link between it and the server.

For tests that look at one step of a hand-over; whole programs are started by `tests.stage.programs`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
import structlog
from structlog.testing import LogCapture

from demo.servers import Server
from server_a.run.opening import open_story
from server_a.run.outcome import RunSummary
from server_a.run.settings import RunSettings
from server_b.group.signal_group import SignalGroup
from server_b.report.run_report import RunReport
from server_b.settings import ConsumerSettings
from server_b.story import consume
from shared.endpoint.opening import Endpoint, open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace
from shared.program.options import CommonSettings
from shared.signal import CONSUMER_GROUP
from shared.stopping import StopRequest
from tests.stage.faulty_link import FaultyLink

if TYPE_CHECKING:
    import redis
    from structlog.typing import FilteringBoundLogger

# Tokens in the order of their names, all older than what a run of today gets.
OLDER, RUN, NEWER = (f"20200101T00000000{number}Z-abcdef" for number in range(3))
DIGEST = "0123456789abcdef0123456789abcdef"


@dataclass
class HandOver:
    """Both ends of a hand-over on one server, in one namespace.

    Attributes:
        url: Where both connect, unless a call says otherwise.
        reports: What the consumer reported so far.
        logged: What both logged so far.
    """

    url: str
    keys: Keyspace
    reports: list[RunReport] = field(default_factory=list)
    logged: LogCapture = field(default_factory=LogCapture)

    def produce(self, *, url: str = "", stop: StopRequest | None = None, **options: Any) -> RunSummary:
        """Carry out `server-a run` with these options."""
        settings = RunSettings(**{"patience_s": 10.0, **options})
        with (
            closing(StopRequest()) as never,
            open_story(self._common(url), settings, stop=stop or never, log=self._log()) as story,
        ):
            summary = story.run()
            if settings.await_verdict_s:
                story.await_verdict()
        return summary

    def consume(self, *, url: str = "", stop: StopRequest | None = None, **options: Any) -> RunReport:
        """Carry out `server-b run --once` with these options, and return its last report."""
        settings = ConsumerSettings(**{"consumer": "b", "is_once": True, "wait_s": 10.0, **options})
        with closing(StopRequest()) as never:
            consume(self._common(url), settings, stop=stop or never, log=self._log(), emit=self.reports.append)
        return self.reports[-1]

    def serve(self, *, url: str = "", **options: Any) -> RunReport:
        """Carry out `server-b run` with these options until it has reported a run, and return that report."""
        settings = ConsumerSettings(**{"consumer": "b", "wait_s": 10.0, **options})
        with closing(StopRequest()) as stop:

            def report(found: RunReport) -> None:
                self.reports.append(found)
                stop.request()

            consume(self._common(url), settings, stop=stop, log=self._log(), emit=report)
        return self.reports[-1]

    def events(self) -> list[str]:
        """Return the events logged so far."""
        return [entry["event"] for entry in self.logged.entries]

    def _common(self, url: str) -> CommonSettings:
        return CommonSettings(
            EndpointSettings(url=parse_url(url or self.url)), self.keys, log_level="debug", log_format="json"
        )

    def _log(self) -> FilteringBoundLogger:
        log: FilteringBoundLogger = structlog.wrap_logger(
            None, processors=[self.logged], wrapper_class=structlog.make_filtering_bound_logger(0)
        )
        return log


class Group:
    """The group from outside, and members of it that do only what the test tells them."""

    def __init__(self, endpoint: Endpoint, client: redis.Redis, keys: Keyspace) -> None:
        """Make the group."""
        self._endpoint, self._client, self._keys = endpoint, client, keys
        self.member("nobody").join()

    def member(self, name: str) -> SignalGroup:
        """Return the group as seen by a consumer."""
        return SignalGroup(self._endpoint, self._keys, name)

    def pending(self) -> dict[str, int]:
        """Return whose how many entries are pending."""
        found: Any = self._client.xpending(self._keys.signals(), CONSUMER_GROUP)["consumers"]
        return {consumer["name"].decode(): consumer["pending"] for consumer in found}

    def names(self) -> set[str]:
        """Return the consumer names."""
        return {found["name"].decode() for found in self._client.xinfo_consumers(self._keys.signals(), CONSUMER_GROUP)}

    def deliveries(self) -> list[int]:
        """Return how often each pending entry was delivered."""
        found: Any = self._client.xpending_range(self._keys.signals(), CONSUMER_GROUP, "-", "+", 100)
        return [entry["times_delivered"] for entry in found]


def numbers(count: int, *, first: int = 1) -> list[bytes]:
    """Return so many numbers from the first on, as values."""
    return [b"%d" % number for number in range(first, first + count)]


def stored_values(client: redis.Redis, keys: Keyspace, segments: int = 1) -> list[bytes]:
    """Return all values of a run in the order of their insertion, read by plain LRANGE."""
    values: list[bytes] = []
    for number in range(1, segments + 1):
        values += reversed(list_values(client, keys.segment(number)))
    return values


def list_values(client: redis.Redis, key: str) -> list[bytes]:
    """Return a list's values from its head."""
    return cast("list[bytes]", client.lrange(key, 0, -1))


def list_keys(client: redis.Redis, keys: Keyspace) -> set[str]:
    """Return the names of all lists in the namespace, staging keys among them."""
    patterns = (f"{keys.prefix}biglist*", f"{{{keys.prefix}biglist*")
    found = [key for pattern in patterns for key in client.scan_iter(match=pattern, count=1000, _type="list")]
    return {key.decode() for key in found}


def entries_of(client: redis.Redis, stream: str) -> list[tuple[str, dict[bytes, bytes]]]:
    """Return a stream's entries with their ids."""
    entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange(stream))
    return [(entry_id.decode(), fields) for entry_id, fields in entries]


@pytest.fixture
def keys(namespace: str) -> Keyspace:
    """The keys of the test's namespace."""
    return Keyspace(namespace)


@pytest.fixture
def endpoint(server: Server) -> Iterator[Endpoint]:
    """An endpoint of the product on each shared server in turn."""
    with closing(open_endpoint(EndpointSettings(url=parse_url(server.url)))) as opened:
        yield opened


@pytest.fixture
def link(server: Server) -> Iterator[FaultyLink]:
    """A link to `server`, without faults until the test says so."""
    with FaultyLink(server.port) as opened:
        yield opened


@pytest.fixture
def hand_over(server: Server, keys: Keyspace) -> HandOver:
    """Both ends on `server`, in the test's namespace."""
    return HandOver(server.url, keys)


@pytest.fixture
def group(endpoint: Endpoint, client: redis.Redis, keys: Keyspace) -> Group:
    """The consumer group on `server`, in the test's namespace."""
    return Group(endpoint, client, keys)
