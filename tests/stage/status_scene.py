"""What a table of situations for `status` is written with: hand-overs, and what becomes of their keys."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import ResponseError

from server_b.group.entry import Entry
from server_b.group.settling import EntrySettler
from shared.endpoint.endpoint import Endpoint
from shared.errors import VerificationFailedError
from shared.keys import Keyspace
from shared.page.collecting import Collector
from shared.signal import CONSUMER_GROUP
from shared.status.status import Status, read_status
from shared.tokens import make_token, token_ms
from tests.stage.hand_over_in_process import HandOver

if TYPE_CHECKING:
    import redis

NO_SHOP: dict[str, Any] = {"users": 0, "skus": 0, "carts": 0}
DAY_MS = 24 * 60 * 60 * 1000


@dataclass
class Scene:
    """One namespace of a server, and the runs that were written there so far, the newest last."""

    hand_over: HandOver
    endpoint: Endpoint
    client: redis.Redis
    keys: Keyspace
    runs: list[str] = field(default_factory=list)

    @property
    def run(self) -> str:
        """The newest run's id."""
        return self.runs[-1]

    @property
    def signals(self) -> str:
        """The stream's key."""
        return self.keys.signals()

    @property
    def record(self) -> str:
        """The key of the newest run's record."""
        return self.keys.run(self.run)

    @property
    def result(self) -> str:
        """The key of the newest run's result."""
        return self.keys.result(self.run)

    def list(self, number: int = 1) -> str:
        """Return the key of a segment."""
        return self.keys.segment(number)

    def state(self, number: int = 1) -> str:
        """Return the key of a segment's state."""
        return self.keys.state(self.list(number))

    def produce(self, segments: int = 2) -> None:
        """Write a run of so many segments of 10 values."""
        summary = self.hand_over.produce(count=10 * segments, segment_values=10, **NO_SHOP)
        self.runs.append(summary.run_id)

    def consume(self) -> None:
        """Read until a run is complete, whatever its verdict."""
        with suppress(VerificationFailedError):
            self.hand_over.consume(settle_s=0.0)

    def verify(self, segments: int = 2) -> None:
        """Write a run and read it."""
        self.produce(segments)
        self.consume()

    def fail(self) -> None:
        """Write a run, change a value, and read it."""
        self.produce()
        self.client.lset(self.list(), 0, "x")
        self.consume()

    def resume(self, *, repair: bool = False) -> None:
        """Go on with the newest run."""
        self.hand_over.produce(resume=self.run, repair=repair)

    def lose(self, words: str) -> str:
        """Remove keys of the newest run, as an eviction or a failover does: `list2 state1 record`; return the last."""
        singles = {"record": self.record, "result": self.result, "signals": self.signals}
        numbered = {f"{kind}{n}": key(n) for kind, key in (("list", self.list), ("state", self.state)) for n in (1, 2)}
        names = [(singles | numbered)[word] for word in words.split()]
        assert self.client.delete(*names) == len(names), words
        return names[-1]

    def age(self) -> str:
        """Make the newest run, of which only states and signals are left, two days older; return its id."""
        older = make_token(token_ms(self.run) - 2 * DAY_MS)
        for number in (1, 2):
            self.client.hset(self.state(number), "run_id", older)
        self.change_signals(run_id=older)
        self.pass_over()
        return older

    def pass_over(self) -> None:
        """Have the group pass over what is in the stream."""
        with suppress(ResponseError):
            self.client.xgroup_create(self.signals, CONSUMER_GROUP, id="0")
        self.client.xgroup_setid(self.signals, CONSUMER_GROUP, id="$")

    def begin(self, *, published: int) -> None:
        """Turn the newest run, of two segments, into one that has published only so many and goes on."""
        self.client.hset(self.record, mapping={"finished_ms": 0, "published": published})
        for number in range(published + 1, 3):
            entry_id = self.client.hget(self.record, f"signal:{number}") or b""
            self.client.xdel(self.signals, entry_id)
            self.client.hdel(self.record, f"signal:{number}")
            self.lose(f"list{number} state{number}")

    def stop(self) -> None:
        """Turn the newest run into one that has published all and ended before its audit."""
        self.client.hset(self.record, "finished_ms", 0)

    def contradict(self) -> None:
        """Have the last signal say that it is the only one of its run, and the group pass over it."""
        taken: Any = self.client.xrevrange(self.signals, count=1)
        ((entry_id, fields),) = taken
        self.client.xdel(self.signals, entry_id)
        self.client.xadd(self.signals, {**fields, b"segment": b"1", b"segments": b"1"})
        self.pass_over()

    def look(self) -> tuple[Status, Status]:
        """Return the status of server-a and that of server-b, checked against what the page says."""
        a, b = (read_status(self.endpoint, self.keys, is_scanned=is_scanned) for is_scanned in (True, False))
        page = Collector(self.endpoint, self.keys, is_encrypted=False).look()
        assert ([*page.wrong], [*page.under_way]) == (b.problems, b.under_way)
        return a, b

    def deliver(self, number: int = 1) -> None:
        """Deliver so many entries to a consumer that is killed then."""
        self.client.xgroup_create(self.signals, CONSUMER_GROUP, id="0")
        self.client.xreadgroup(CONSUMER_GROUP, "gone", {self.signals: ">"}, count=number)

    def change_signals(self, **changes: str) -> None:
        """Write every signal of the stream anew, at its id, with other fields."""
        entries: Any = self.client.xrange(self.signals)
        self.client.delete(self.signals)
        changed: dict[Any, Any] = {name.encode(): value for name, value in changes.items()}
        for entry_id, fields in entries:
            self.client.xadd(self.signals, {**fields, **changed}, id=entry_id)

    def change_verdict(self, **changes: str) -> None:
        """Change fields of the verdict on segment 1."""
        found = json.loads(self.client.hget(self.result, "1") or b"")
        self.client.hset(self.result, "1", json.dumps(found | changes))

    def give_to_newer_run(self, number: int) -> None:
        """Have a state name a newer run, of which nothing else is there."""
        self.client.hset(self.state(number), "run_id", make_token(token_ms(self.run), after=self.run))

    def letter(self) -> None:
        """Add a dead letter."""
        EntrySettler(self.endpoint, self.keys, "b").dead_letter(Entry("1-1", {}), "r")


@pytest.fixture
def scene(hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace) -> Scene:
    """A scene on each shared server in turn."""
    return Scene(hand_over, endpoint, client, keys)
