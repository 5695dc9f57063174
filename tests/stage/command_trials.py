"""Hand-overs of which each command meets each fault: what they begin with, and what must be true in the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import pytest
from structlog.testing import LogCapture

from demo.servers import Server
from shared.errors import HandoverError
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP
from shared.stopping import StopRequest
from tests.stage.command_link import CommandLink, Fault
from tests.stage.hand_over_in_process import HandOver, entries_of, list_keys, numbers, stored_values
from tests.stage.raw import call
from tests.stage.servers import connect

if TYPE_CHECKING:
    import redis

COUNT, SEGMENT_VALUES, SEGMENTS = 300, 200, 2
SIZES: dict[str, Any] = {"count": COUNT, "segment_values": SEGMENT_VALUES}
# after a bit was flipped a program may also be told that it has no right, or that there is no run of another name
CODES = {0, 2, 65, 69, 75, 77, 78}
MAX_ROUNDS = 5
READS: dict[str, Any] = {"claim_idle_ms": 300, "settle_s": 0.5}
_SHORT_S = 0.3  # a time-out of replies, in place of five seconds
_LONG_WAIT_S = 60.0
# after these no reply comes, or only a part of one, and the connection stays; the others close it, so that nobody waits
_SILENCING: frozenset[Fault] = frozenset({"slow", "flipped", "flipped reply"})


@dataclass(eq=False)
class CommandStage:
    """A server of the test's own, a link to it, and what a hand-over on it begins with.

    Attributes:
        run_id: Of the run that is begun, repaired or read; empty where the hand-over begins one.
        least_wait_s: How long a consumer waits at least, if longer than its scenario says.
    """

    server: Server
    client: redis.Redis
    link: CommandLink
    folder: Path
    keys: Keyspace = field(default_factory=lambda: Keyspace(""))
    run_id: str = ""
    least_wait_s: float = 0.0
    _kept: list[tuple[bytes, bytes, int]] = field(default_factory=list)
    _is_replica: bool = False

    def keep(self, *, is_replica: bool = False) -> None:
        """Keep what is stored: each hand-over begins with it."""
        names = list(self.client.scan_iter(count=1_000))
        self._kept = [(name, self.client.dump(name), max(0, self.client.pttl(name))) for name in names]  # type: ignore[misc]
        self._is_replica = is_replica

    def restore(self) -> None:
        """Begin anew."""
        call(self.server, "REPLICAOF", "NO", "ONE")
        self.client.flushall()
        for file in self.folder.glob("*"):
            file.unlink()
        with self.client.pipeline(transaction=False) as pipeline:
            for name, content, ttl_ms in self._kept:
                pipeline.restore(name, ttl_ms, content)
            pipeline.execute()
        if self._is_replica:  # of nobody
            call(self.server, "REPLICAOF", "127.0.0.1", 1)

    def hand_over(self, *, is_direct: bool = False) -> HandOver:
        """Return both ends, which reach the server over the link unless it is direct."""
        return HandOver(self.server.url if is_direct else self.link.url, self.keys)

    def finish(self, run_id: str) -> str:
        """Read a run, and resume it or repair it where it is not verified, until it is; return its id.

        Where its record is gone, so that it can't be resumed, that is another run's.
        """
        trail = []
        for number in range(MAX_ROUNDS):
            ends = self.hand_over(is_direct=True)
            options = {**READS, "run_id": run_id, "consumer": f"later-{number}", "wait_s": 1.0, "claim_idle_ms": 10}
            code, said = end_of(lambda: ends.consume(**options, state_directory=str(self.folder)))  # noqa: B023
            trail.append(said)
            if code == 0:
                return run_id
            code, said = end_of(lambda: ends.produce(resume=run_id, repair=code == 65))  # noqa: B023
            trail.append(said)
            if code == 2:
                run_id = ends.produce(**SIZES).run_id
        pytest.fail(f"not verified after {MAX_ROUNDS} times: {trail}")

    def require_exact(self, run_id: str, *, is_strict: bool = True) -> None:
        """Check lists, verdicts and pending entries, without the product."""
        lists = {self.keys.segment(number) for number in range(1, SEGMENTS + 1)}
        assert stored_values(self.client, self.keys, SEGMENTS) == numbers(COUNT)
        kept = {*lists, *map(self.keys.state, lists)}
        assert {key: self.client.ttl(key) for key in kept} == dict.fromkeys(kept, -1)
        if is_strict:  # else an older run's may have been taken for somebody else's, and be left
            assert {key for key in list_keys(self.client, self.keys) - lists if self.client.ttl(key) < 0} == set()
        if self._is_replica:
            return
        recorded = self._result(run_id)
        names = {b"%d" % number for number in range(1, SEGMENTS + 1)}
        assert {name: json.loads(recorded[name])["verdict"] for name in names} == dict.fromkeys(names, "verified")
        assert not is_strict or recorded.keys() == names
        for number in range(MAX_ROUNDS):  # an entry that was taken with another id
            if not self._pending(run_id):
                break
            later, options = self.hand_over(is_direct=True), READS | {"consumer": f"last-{number}"}
            end_of(lambda: later.consume(**options | {"wait_s": 0.5, "claim_idle_ms": 10}))  # noqa: B023 - called at once
        assert self._pending(run_id) == set()

    def _pending(self, run_id: str) -> set[str]:
        """Return the pending entries of a run; those of an older one may wait for a list that is gone."""
        found: Any = self.client.xpending_range(self.keys.signals(), CONSUMER_GROUP, "-", "+", 100)
        ids = {entry["message_id"].decode() for entry in found}
        return {
            name
            for name, fields in entries_of(self.client, self.keys.signals())
            if (name in ids and fields.get(b"run_id") == run_id.encode())
        }

    def _result(self, run_id: str) -> dict[bytes, bytes]:
        return cast("dict[bytes, bytes]", self.client.hgetall(self.keys.result(run_id)))


def end_of(work: Callable[[], object]) -> tuple[int, str]:
    """Return the exit code that a program would end with, and why; anything but an error of ours is raised."""
    try:
        work()
    except HandoverError as error:
        return error.exit_code, str(error)
    return 0, ""


@dataclass(frozen=True)
class Scenario:
    """A hand-over of one program.

    Attributes:
        prepare: Makes what it begins with.
        work: The program's part, which meets the fault.
        code: What it ends with.
    """

    name: str
    prepare: Callable[[CommandStage], None]
    work: Callable[[CommandStage, HandOver], object]
    code: int = 0

    def begin(self, stage: CommandStage) -> dict[str, int]:
        """Prepare the stage, and carry it out once without a fault; return its commands, and how often each comes.

        Nothing is lost then, so no wait has to end, however short those are under a fault.
        """
        self.prepare(stage)
        stage.restore()
        sent = len(stage.link.sent)
        stage.least_wait_s = _LONG_WAIT_S
        code, said = end_of(lambda: self.work(stage, stage.hand_over()))
        stage.least_wait_s = 0.0
        assert code == self.code, f"{code} {said}"
        return Counter(stage.link.sent[sent:])

    def meet(self, stage: CommandStage, fault: Fault, command: str, nth: int, *, seed: str) -> bool:
        """Carry it out under a fault, and to its end; raise AssertionError unless all is as it must be then.

        Returns whether the fault came: how often a command comes may depend on how long others take.
        """
        try:
            return self._meet(stage, fault, command, nth, seed)
        except BaseException as error:
            error.add_note(f"{self.name}: {fault}, {command} {nth}, seed {seed}")
            raise

    def _meet(self, stage: CommandStage, fault: Fault, command: str, nth: int, seed: str) -> bool:
        stage.restore()
        stage.link.strike(fault, command, nth, seed=seed)
        ends = stage.hand_over()
        with _short_replies() if fault in _SILENCING else nullcontext():
            code, said = end_of(lambda: self.work(stage, ends))
        has_come = stage.link.has_come
        is_flipped = fault.startswith("flipped")
        assert code in (CODES if is_flipped else {0, 69, 75, self.code}), f"{code} {said}"
        assert is_flipped or code or {report.verdict for report in ends.reports} <= {"verified"}
        if fault != "late" or stage.run_id:
            stage.link.deliver()
        run_id = stage.run_id or carried_on(stage, ends, code)
        stage.link.deliver()
        stage.require_exact(stage.finish(run_id), is_strict=not is_flipped)
        return has_come


@contextmanager
def _short_replies() -> Iterator[None]:
    """Give replies less time, for a fault after which none comes: without this each of those takes five seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.endpoint.pools.SOCKET_TIMEOUT_S", _SHORT_S)
        yield


def carried_on(stage: CommandStage, ends: HandOver, code: int) -> str:
    """Resume the run that was begun, or begin another where none was; return its id."""
    begun = [str(entry["run_id"]) for entry in ends.logged.entries if entry["event"] == "run started"]
    if begun and (code == 0 or end_of(lambda: stage.hand_over(is_direct=True).produce(resume=begun[0]))[0] == 0):
        return begun[0]
    return stage.hand_over(is_direct=True).produce(**SIZES).run_id


def _publish(stage: CommandStage) -> None:
    stage.run_id = stage.hand_over(is_direct=True).produce(**SIZES).run_id
    stage.keep()


def _publish_for_a_follower(stage: CommandStage) -> None:
    _publish(stage)
    stage.keep(is_replica=True)


def _leave_pending(stage: CommandStage) -> None:
    """Leave entries to a consumer that was killed, and one that is no signal."""
    _publish(stage)
    signals = stage.keys.signals()
    stage.client.xadd(signals, {"x": "y"})
    stage.client.xgroup_create(signals, CONSUMER_GROUP, id="0")
    stage.client.xreadgroup(CONSUMER_GROUP, "killed", {signals: ">"}, count=3)
    stage.keep()


def _write_older(stage: CommandStage) -> None:
    stage.hand_over(is_direct=True).produce(count=300, segment_values=100)
    stage.keep()


def _write_half(stage: CommandStage) -> None:
    with closing(StopRequest()) as stop:
        stage.link.act(stop.request, "XADD", 2)
        ends = stage.hand_over()
        assert end_of(lambda: ends.produce(**SIZES, stop=stop))[0] == 75
    (stage.run_id,) = (str(entry["run_id"]) for entry in ends.logged.entries if entry["event"] == "run started")
    stage.keep()


def _damage(stage: CommandStage) -> None:
    """Let a verdict be failed, and a dead letter be left of it."""
    _publish(stage)
    stage.client.delete(stage.keys.segment(2), stage.keys.state(stage.keys.segment(2)))
    options: dict[str, Any] = {"settle_s": 0, "claim_idle_ms": 1, "max_deliveries": 1}
    assert end_of(lambda: stage.hand_over(is_direct=True).consume(**options))[0] == 65
    stage.keep()


def _read(stage: CommandStage, ends: HandOver) -> object:
    wait_s = max(2.0, stage.least_wait_s)
    return ends.consume(**READS, run_id=stage.run_id, wait_s=wait_s, state_directory=str(stage.folder))


def _serve(stage: CommandStage, ends: HandOver) -> object:
    return ends.serve(**READS, wait_s=max(1.5, stage.least_wait_s))


class _StoppingLog(LogCapture):
    """A log that requests a stop once a verdict is told."""

    def __init__(self, stop: StopRequest) -> None:
        super().__init__()
        self._stop = stop

    def __call__(self, logger: object, method: str, entry: MutableMapping[str, Any]) -> NoReturn:
        if entry["event"] == "segment examined":
            self._stop.request()
        super().__call__(logger, method, entry)


def _read_under_a_name(stage: CommandStage, ends: HandOver) -> object:
    return ends.consume(**READS, run_id=stage.run_id, wait_s=max(0.5, stage.least_wait_s), name_token="ab12")


def _stop_reading(stage: CommandStage, ends: HandOver) -> object:
    """Read until a segment's verdict is recorded, and stop then."""
    with closing(StopRequest()) as stop:
        ends.logged = _StoppingLog(stop)
        return ends.consume(**READS, run_id=stage.run_id, wait_s=max(2.0, stage.least_wait_s), stop=stop)


READING = Scenario("reading under a name", _leave_pending, _read_under_a_name)
SCENARIOS = {
    each.name: each
    for each in (
        Scenario("new run", _write_older, lambda _, ends: ends.produce(**SIZES)),
        Scenario("resumed run", _write_half, lambda stage, ends: ends.produce(resume=stage.run_id)),
        Scenario("repair", _damage, lambda stage, ends: ends.produce(resume=stage.run_id, repair=True)),
        Scenario("once", _publish, _read),
        Scenario("serving", _publish, _serve),
        Scenario("claiming", _leave_pending, _read),
        Scenario("stopping", _publish, _stop_reading, code=75),
        Scenario("following", _publish_for_a_follower, _read),
    )
}


@contextmanager
def command_stage(server: Server, folder: Path) -> Iterator[CommandStage]:
    """Open a stage on a server, for the time of the block; a read of signals blocks for less time there."""
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch, connect(server) as client:
        patch.setattr("server_b.group.entries.BLOCK_MS", 100)
        patch.setattr("server_b.group.entries.WATCH_BLOCK_MS", 50)
        with CommandLink(server.port) as link:
            yield CommandStage(server, client, link, folder)
