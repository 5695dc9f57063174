"""The questions before a verdict are asked while its segment is still being read; what happens meanwhile counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from server_b.group import asked_ahead
from server_b.group.ahead import EntryAhead
from server_b.group.asked_ahead import AskedAhead
from server_b.group.delivery import Delivery
from server_b.group.settling import EntrySettler, Recorded
from server_b.report.standing import read_standing
from server_b.segment.chunks import chunk_size
from server_b.segment.look import SegmentLook
from shared.endpoint.endpoint import Endpoint, ServerClock
from shared.endpoint.node_client import NodePipeline
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import TransientError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.verdict import SegmentVerdict
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN, Group, HandOver, entries_of
from tests.stage.turns import QUIET_S, TurnCounter
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis

SIGNAL = Signal(OLDER, RUN, 1, 2, 3, DIGEST)
VERIFIED = SegmentVerdict("verified", RUN, segment=1, segments=2, count=3, digest=DIGEST)


@pytest.fixture(autouse=True)
def _kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked is not too old because this machine took a second from one step to the next."""
    monkeypatch.setattr(asked_ahead, "KEPT_S", 3_600.0)


@dataclass
class Recording:
    """Records one verdict on `SIGNAL`, asked ahead of it."""

    endpoint: Endpoint
    keys: Keyspace
    group: Group
    conflicts: int = 0
    settler: EntrySettler = field(init=False)
    asked: AskedAhead = field(init=False)

    def __post_init__(self) -> None:
        """Ask as `EntryEndings` does."""
        self.settler = EntrySettler(self.endpoint, self.keys, "b")
        self.asked = AskedAhead(self.settler.ask)

    def ask(self) -> None:
        """Ask about the segment."""
        self.asked.ask(SIGNAL)

    def ask_and_be_heard(self, client: redis.Redis) -> None:
        """Ask, and wait until the server has carried it out: nobody has read its replies."""
        self.ask()
        wait_until(lambda: hearing(client), description="the server watches the result")

    def record(self) -> Recorded:
        """Record the verdict with the acknowledgement of a new entry."""
        entry = self.group.member("b").read_new(block_ms=1)
        assert entry is not None
        delivery = Delivery(entry, SIGNAL, 1, None, SegmentLook(0, None, None, chunk_size(None)), ServerClock())
        return self.settler.record(
            delivery, VERIFIED, retain_ms=90_000, asked=self.asked.take(), on_conflict=self._count_conflict
        )

    def _count_conflict(self) -> None:
        self.conflicts += 1

    @property
    def in_use(self) -> int:
        """How many connections are lent by the pool."""
        return len(self.endpoint.at(self.keys.result(OLDER)).connection_pool._in_use_connections)

    def require_recorded(self) -> None:
        """Require that the verdict stands, nothing is pending, and every connection is back."""
        assert read_standing(self.endpoint, self.keys, OLDER).verdicts[1] == VERIFIED
        assert self.group.pending() == {}
        assert self.in_use == 0


def hearing(client: redis.Redis) -> list[str]:
    """Return the ids of the connections on which the questions came last."""
    return [found["id"] for found in client.client_list() if found["cmd"] == "hscan"]


@pytest.fixture
def recording(endpoint: Endpoint, keys: Keyspace, group: Group, client: redis.Redis) -> Recording:
    """What records, with an entry that nobody has taken."""
    client.xadd(keys.signals(), {"any": "entry"})
    return Recording(endpoint, keys, group)


@pytest.fixture
def far(server: Server, keys: Keyspace, group: Group, client: redis.Redis) -> Iterator[tuple[Recording, TurnCounter]]:
    """The same through a relay that counts turns."""
    client.xadd(keys.signals(), {"any": "entry"})
    with TurnCounter(server.port, quiet_s=QUIET_S) as counter:
        settings = EndpointSettings(url=parse_url(counter.url))
        with closing(open_endpoint(settings)) as endpoint:
            yield Recording(endpoint, keys, group), counter


def test_what_was_asked_ahead_is_not_asked_again(far: tuple[Recording, TurnCounter]) -> None:
    recording, counter = far
    recording.ask()
    recording.record()
    assert recording.conflicts == 0
    assert counter.times("WATCH") == counter.times("HSCAN") == 1, str(counter)
    recording.require_recorded()


def test_others_that_record_meanwhile_are_a_conflict(recording: Recording, client: redis.Redis, keys: Keyspace) -> None:
    recording.ask_and_be_heard(client)
    client.hset(keys.result(OLDER), "2", SegmentVerdict("verified", RUN, 2, 2, 3, DIGEST).encode())
    assert recording.record().fields == 2
    assert recording.conflicts == 1
    recording.require_recorded()


def test_a_verdict_that_comes_meanwhile_stands(recording: Recording, client: redis.Redis, keys: Keyspace) -> None:
    recording.ask_and_be_heard(client)
    failed = SegmentVerdict("failed", RUN, segment=1, segments=2, count=3, digest=DIGEST)
    client.hset(keys.result(OLDER), "1", failed.encode())
    assert not recording.record().is_standing
    assert recording.conflicts == 1
    assert read_standing(recording.endpoint, keys, OLDER).verdicts[1] == failed


def test_a_connection_that_is_lost_meanwhile_is_a_fault_once(recording: Recording, client: redis.Redis) -> None:
    recording.ask_and_be_heard(client)
    for number in hearing(client):
        client.client_kill_filter(_id=number)
    taken = recording.group.member("b").read_new(block_ms=1)
    assert taken is not None
    delivery = Delivery(taken, SIGNAL, 1, None, SegmentLook(0, None, None, chunk_size(None)), ServerClock())
    with pytest.raises(TransientError):
        recording.settler.record(delivery, VERIFIED, retain_ms=90_000, asked=recording.asked.take())
    assert recording.settler.record(delivery, VERIFIED, retain_ms=90_000, asked=recording.asked.take()).is_standing
    recording.require_recorded()


def test_what_was_asked_long_ago_is_asked_anew(
    far: tuple[Recording, TurnCounter], monkeypatch: pytest.MonkeyPatch
) -> None:
    recording, counter = far
    monkeypatch.setattr(asked_ahead, "KEPT_S", 0.0)
    recording.ask()
    recording.record()
    assert counter.times("HSCAN") == 2, str(counter)
    recording.require_recorded()


def test_after_questions_that_were_too_early_none_are_asked_ahead(
    far: tuple[Recording, TurnCounter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a narrow link the end of each segment takes long: each would lose the connection it was asked on."""
    recording, counter = far
    monkeypatch.setattr(asked_ahead, "KEPT_S", 0.0)
    recording.ask()
    assert recording.asked.take() is None
    recording.ask()
    assert recording.in_use == 0
    recording.record()
    assert counter.times("HSCAN") == 2, str(counter)
    recording.require_recorded()
    monkeypatch.setattr(asked_ahead, "LATE_PAUSE_S", 0.0)
    recording.asked = AskedAhead(recording.settler.ask)
    for _ in range(2):
        recording.ask()
        assert recording.in_use == 1
        recording.asked.take()


def test_no_entry_is_taken_ahead_where_the_questions_found_no_server(
    hand_over: HandOver, group: Group, client: redis.Redis, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that hangs would be waited for twice, and so would a stop request."""
    pending: list[dict[str, int]] = []

    def find_no_server(_settler: EntrySettler, _signal: Signal) -> NodePipeline:
        pending.append(group.pending())
        raise TransientError(where="server", expected="an answer", got="none")

    examine = EntryAhead.examine

    def examine_and_note(ahead: EntryAhead, *arguments: Any, **options: Any) -> SegmentVerdict | None:
        verdict = examine(ahead, *arguments, **options)
        pending.append(group.pending())
        return verdict

    monkeypatch.setattr(EntrySettler, "ask", find_no_server)
    monkeypatch.setattr(EntryAhead, "examine", examine_and_note)
    hand_over.produce(count=30, segment_values=10)
    assert hand_over.consume().verdict == "verified"
    assert pending == [{"b": 1}] * 6
    assert group.pending() == {}


def test_what_nobody_takes_leaves_no_watch_behind(recording: Recording, client: redis.Redis, keys: Keyspace) -> None:
    recording.ask()
    assert recording.in_use == 1
    recording.asked.close()
    assert recording.asked.take() is None
    client.hset(keys.result(OLDER), "2", SegmentVerdict("verified", RUN, 2, 2, 3, DIGEST).encode())
    assert recording.record().fields == 2
    assert recording.conflicts == 0
    recording.require_recorded()


def signals_in(client: redis.Redis, keys: Keyspace) -> list[Signal]:
    """Return all signals in the stream."""
    return [Signal.decode(fields) for _, fields in entries_of(client, keys.signals())]


def test_once_after_others_recorded_nothing_is_asked_ahead(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others' verdicts change the result between the questions and the transaction, which would cost a turn more."""
    summary = hand_over.produce(count=60, segment_values=10)
    (last,) = (found for found in signals_in(client, keys) if found.segment == 6)
    asked: list[int] = []
    ask, record = EntrySettler.ask, EntrySettler.record

    def ask_and_note(settler: EntrySettler, signal: Signal) -> NodePipeline:
        asked.append(signal.segment)
        return ask(settler, signal)

    def record_and_let_another(settler: EntrySettler, *arguments: Any, **options: Any) -> Recorded:
        recorded = record(settler, *arguments, **options)
        if recorded.fields == 1:
            other = SegmentVerdict("verified", last.attempt, 6, 6, last.count, last.digest)
            client.hset(keys.result(summary.run_id), "6", other.encode())
        return recorded

    monkeypatch.setattr(EntrySettler, "ask", ask_and_note)
    monkeypatch.setattr(EntrySettler, "record", record_and_let_another)
    assert hand_over.consume().verdict == "verified"
    examined = [entry["segment"] for entry in hand_over.logged.entries if entry["event"] == "segment examined"]
    assert sorted(examined) == [1, 2, 3, 4, 5]
    assert asked == [*examined[:2], *examined[3:]]
