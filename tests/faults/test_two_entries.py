"""A consumer that holds two entries, the second taken and opened while the first is read: each ends as one alone does.

The moment is when the second segment's reading is opened: the state of `biglist:2` is asked for the third time, after
WATCH and the look. Each test runs beside the server and, through a link of 80 ms, far from it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from server_b import lease
from server_b.group import entries
from server_b.report.standing import read_standing
from shared.endpoint.opening import Endpoint
from shared.errors import NotFinishedError, VerificationFailedError
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP
from shared.stopping import StopRequest
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import Group, HandOver
from tests.stage.programs import StartProgram
from tests.stage.slow_link import SlowLink
from tests.stage.victims import Victim

if TYPE_CHECKING:
    import redis

SECOND, NTH = b":2}:state", 3


@dataclass
class Held:
    """A run of three segments and a link to it, on which something happens when two entries are held."""

    hand_over: HandOver
    link: FaultyLink

    def consume(self, **options: Any) -> str:
        """Consume over the link with one delivery for each entry, so that none may count as failed, to its verdict."""
        report = self.hand_over.consume(url=self.link.url, **{"max_deliveries": 1, **options})
        assert len({report.run_id for report in self.hand_over.reports}) == len(self.hand_over.reports) == 1
        return report.verdict


@contextmanager
def _link(port: int, round_trip_s: float) -> Iterator[FaultyLink]:
    slow = SlowLink(port, round_trip_s=round_trip_s) if round_trip_s else None
    with slow or nullcontext(), FaultyLink(slow.port if slow else port) as link:
        yield link


@pytest.fixture(params=[0.0, 0.08], ids=["near", "far"])
def held(request: pytest.FixtureRequest, server: Server, hand_over: HandOver) -> Iterator[Held]:
    hand_over.produce(count=30_000, segment_values=10_000)
    with _link(server.port, request.param) as link:
        yield Held(hand_over, link)


def test_the_second_entry_is_taken_while_the_first_is_pending(held: Held, group: Group) -> None:
    pending: list[tuple[dict[str, int], list[int]]] = []
    held.link.at(SECOND, lambda: pending.append((group.pending(), group.deliveries())), nth=NTH)
    assert held.consume() == "verified"
    assert pending == [({"b": 2}, [1, 1])]


def test_a_connection_that_is_lost_with_two_entries_counts_for_neither(held: Held, group: Group) -> None:
    held.link.at(SECOND, held.link.cut, nth=NTH)
    assert held.consume() == "verified"
    assert held.link.cuts >= 2
    assert group.pending() == {}


def test_a_stop_request_finishes_the_first_entry_and_gives_the_second_back(
    held: Held, group: Group, endpoint: Endpoint, keys: Keyspace, client: redis.Redis
) -> None:
    with closing(StopRequest()) as stop:
        held.link.at(SECOND, stop.request, nth=NTH)
        with pytest.raises(NotFinishedError):
            held.consume(stop=stop)
    assert (group.pending(), group.deliveries()) == ({"b": 1}, [0])
    run_id = client.xrange(keys.signals())[0][1][b"run_id"].decode()  # type: ignore[index, union-attr]
    assert list(read_standing(endpoint, keys, run_id).verdicts) == [1]
    assert held.consume(consumer="c") == "verified"


def test_a_kill_costs_a_second_reading_of_both_and_no_verdict(
    *, held: Held, group: Group, start_program: StartProgram, namespace: str
) -> None:
    """The first verdict takes no round trip more then: what is sent of it before the end comes is lost."""
    victim = Victim()

    def kill() -> None:
        victim.kill()
        held.link.cut()

    held.link.at(SECOND, kill, nth=NTH)
    arguments = ("run", "--consumer", "killed")
    victim.program = start_program("server-b", *arguments, server=held.link.url, namespace=namespace)
    assert victim.program.wait(60) == 128 + signal.SIGKILL, victim.program.errors()
    assert (group.pending(), group.deliveries()) == ({"killed": 2}, [1, 1])
    assert held.consume(max_deliveries=2, claim_idle_ms=100) == "verified"
    assert group.pending() == {}


def test_a_first_list_that_was_touched_is_read_again(held: Held, client: redis.Redis, keys: Keyspace) -> None:
    held.link.at(SECOND, lambda: client.lset(keys.segment(1), 0, "10000"), nth=NTH)
    assert held.consume() == "verified"


def test_a_second_list_that_is_missing_is_awaited_in_its_turn(
    held: Held, client: redis.Redis, keys: Keyspace, group: Group
) -> None:
    client.delete(keys.segment(2), keys.state(keys.segment(2)))
    with pytest.raises(VerificationFailedError):
        held.consume(settle_s=0.0)
    assert held.hand_over.reports[-1].reason == "segment 2: never arrived"
    assert group.pending() == {}


def test_a_second_entry_that_another_consumer_claims_gets_one_verdict(
    held: Held, group: Group, client: redis.Redis, keys: Keyspace
) -> None:
    def claim() -> None:
        pending: Any = client.xpending_range(keys.signals(), CONSUMER_GROUP, "-", "+", 10)
        client.xclaim(keys.signals(), CONSUMER_GROUP, "other", 0, [pending[1]["message_id"]])

    held.link.at(SECOND, claim, nth=NTH)
    assert held.consume() == "verified"
    assert group.pending() == {}


def test_a_second_entry_that_another_consumer_claims_before_its_turn_gets_one_verdict(
    held: Held, group: Group, client: redis.Redis, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when we were frozen: between the two entries the lease on the second is due, and another consumer has it."""
    frozen_s: list[float] = []

    def claim() -> None:
        assert group.pending() == {"b": 2}
        pending: Any = client.xpending_range(keys.signals(), CONSUMER_GROUP, "-", "+", 10)
        client.xclaim(keys.signals(), CONSUMER_GROUP, "other", 0, [pending[1]["message_id"]], idle=15_000)
        frozen_s.append(6.0)

    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + sum(frozen_s))
    monkeypatch.setattr(lease, "time", clock)
    monkeypatch.setattr(entries, "time", clock)
    held.link.at(b"XACK", claim)
    assert held.consume(claim_idle_ms=15_000, wait_s=60.0, max_deliveries=5) == "verified"  # it was claimed twice
    assert group.pending() == {}
