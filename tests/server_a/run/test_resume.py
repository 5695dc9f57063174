"""`server-a run --resume`: what it keeps, what it mends, and what it refuses because the run has it otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from server_a.run import opening
from server_a.run.keeping import SegmentKeeper
from server_a.run.new_run import source_of
from shared.endpoint import retry as retry_module
from shared.errors import EndpointUnreachableError, InvalidInputError, NotFinishedError
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver, entries_of, numbers, stored_values
from tests.stage.seen_stops import SeenStop
from tests.stage.status_checks import begun_run

if TYPE_CHECKING:
    import redis

COUNT, SEGMENT = 5_500, 1_000
SHAPE: dict[str, Any] = {
    "count": COUNT,
    "segment_values": SEGMENT,
    "users": 3,
    "skus": 4,
    "carts": 2,
    "seed": 5,
    "retain_days": 3,
}


@pytest.mark.parametrize("option", SHAPE)
def test_an_option_that_contradicts_the_run_is_refused_and_the_same_is_not(
    option: str, hand_over: HandOver, keys: Keyspace, client: redis.Redis
) -> None:
    summary = hand_over.produce(**SHAPE)
    before = client.hgetall(keys.run(summary.run_id))
    for other in (SHAPE[option] + 1, SHAPE[option] - 1):
        with pytest.raises(InvalidInputError) as caught:
            hand_over.produce(resume=summary.run_id, **{option: other})
        assert caught.value.exit_code == 2
        assert caught.value.where == "--" + option.replace("_", "-")
    assert client.hgetall(keys.run(summary.run_id)) == before
    assert hand_over.produce(resume=summary.run_id, **{option: SHAPE[option]}).attempts == 0
    assert hand_over.produce(resume=summary.run_id, **SHAPE).attempts == 0


def test_zero_contradicts_too(hand_over: HandOver) -> None:
    summary = hand_over.produce(count=10)
    for option in ("users", "skus", "carts", "seed"):
        zero: dict[str, Any] = {option: 0}
        with pytest.raises(InvalidInputError, match=f"--{option}: expected"):
            hand_over.produce(resume=summary.run_id, **zero)


def test_a_file_for_a_run_of_numbers_and_none_for_a_run_of_lines_are_refused(
    hand_over: HandOver, tmp_path: Path
) -> None:
    file = tmp_path / "values"
    file.write_bytes(b"\n".join(numbers(10)))
    of_numbers, of_lines = hand_over.produce(count=10), hand_over.produce(values=str(file))
    for run_id, values in ((of_numbers.run_id, str(file)), (of_lines.run_id, None)):
        with pytest.raises(InvalidInputError, match="--values"):
            hand_over.produce(resume=run_id, values=values)


class LaterClock:
    """The clock that retries look at, which our own work sets forward."""

    def __init__(self) -> None:
        """Start with the right time."""
        self.later_s = 0.0

    def monotonic(self) -> float:
        """Return the time, in place of `time.monotonic`."""
        return time.monotonic() + self.later_s


@pytest.mark.parametrize("work", ["scan", "digests"])
def test_time_that_the_file_takes_is_no_silence_of_the_server(
    work: str, hand_over: HandOver, link: FaultyLink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first reply after an hour of it is lost."""
    file = tmp_path / "values"
    file.write_bytes(b"\n".join(numbers(10)))
    run_id, clock = hand_over.produce(values=str(file)).run_id, LaterClock()
    monkeypatch.setattr(retry_module, "time", clock)

    def for_an_hour(work: Callable[..., Any]) -> Callable[..., Any]:
        def work_on(*arguments: Any) -> Any:
            result = work(*arguments)
            clock.later_s += 3_600
            link.lose_reply(b"$")
            return result

        return work_on

    if work == "scan":
        monkeypatch.setattr(opening, "source_of", for_an_hour(source_of))
    else:
        same_lines = SegmentKeeper._require_same_lines
        monkeypatch.setattr(SegmentKeeper, "_require_same_lines", for_an_hour(same_lines))
    summary = hand_over.produce(url=link.url, resume=run_id, values=str(file), patience_s=1_800.0)
    assert (summary.run_id, summary.outages) == (run_id, 1)
    assert 0 < summary.outage_s < 1_800


def _lose_segment(client: redis.Redis, keys: Keyspace) -> None:
    key = keys.segment(2)
    client.delete(key, keys.state(key))


def _lose_list(client: redis.Redis, keys: Keyspace) -> None:
    client.delete(keys.segment(2))


def _lose_value(client: redis.Redis, keys: Keyspace) -> None:
    client.rpop(keys.segment(2))


def _lose_signal(client: redis.Redis, keys: Keyspace) -> None:
    client.xdel(keys.signals(), entries_of(client, keys.signals())[2][0])


def _lose_stream(client: redis.Redis, keys: Keyspace) -> None:
    client.delete(keys.signals())


@pytest.mark.parametrize(
    ("damage", "attempts", "signals"),
    [(_lose_segment, 1, 7), (_lose_list, 1, 7), (_lose_value, 1, 7), (_lose_signal, 0, 6), (_lose_stream, 0, 6)],
)
@pytest.mark.parametrize("is_read", [False, True], ids=["unread", "read"])
def test_a_complete_run_that_lost_something_is_whole_again(
    *,
    is_read: bool,
    damage: Callable[[redis.Redis, Keyspace], None],
    attempts: int,
    signals: int,
    hand_over: HandOver,
    keys: Keyspace,
    client: redis.Redis,
) -> None:
    summary = hand_over.produce(count=COUNT, segment_values=SEGMENT)
    if is_read:
        hand_over.consume()
    damage(client, keys)
    there = client.xlen(keys.signals())
    resumed = hand_over.produce(resume=summary.run_id)
    assert (resumed.run_id, resumed.digest, resumed.attempts) == (summary.run_id, summary.digest, attempts)
    assert stored_values(client, keys, 6) == numbers(COUNT)
    # what has no verdict is signalled again, whether its signal is still to be read or not
    assert client.xlen(keys.signals()) == (signals if is_read else there + 6)
    report = hand_over.consume(run_id=summary.run_id)
    assert (report.verdict, report.run_id, report.digest) == ("verified", summary.run_id, summary.digest)


@pytest.fixture
def stopped(hand_over: HandOver, link: FaultyLink, tmp_path: Path) -> tuple[str, Path]:
    """A run of three segments of a file's lines, stopped when its first is published; its id, and the file."""
    file = tmp_path / "values"
    file.write_bytes(b"\n".join(numbers(3_000)) + b"\n")
    with closing(SeenStop()) as stop:
        link.at(b"RENAME", stop.request_and_be_seen)  # so no other is published
        with pytest.raises(NotFinishedError):
            hand_over.produce(url=link.url, stop=stop, values=str(file), segment_values=1_000)
    return begun_run(hand_over), file


def test_a_run_of_lines_goes_on_with_the_same_lines(
    stopped: tuple[str, Path], hand_over: HandOver, keys: Keyspace, client: redis.Redis, tmp_path: Path
) -> None:
    run_id, file = stopped
    moved = file.rename(tmp_path / "moved")
    summary = hand_over.produce(resume=run_id, values=str(moved))
    assert (summary.run_id, summary.attempts) == (run_id, 2)
    assert stored_values(client, keys, 3) == numbers(3_000)
    assert hand_over.consume().digest == summary.digest


def _change(lines: list[bytes]) -> Any:
    lines[500] = b"x01"  # as long as it was


def _swap(lines: list[bytes]) -> Any:
    lines[0], lines[1] = lines[1], lines[0]


def _drop(lines: list[bytes]) -> Any:
    del lines[-1]


def _append(lines: list[bytes]) -> Any:
    lines.append(b"one more")


@pytest.mark.parametrize(
    ("edit", "got"),
    [
        (_change, "other lines in segment 1"),
        (_swap, "other lines in segment 1"),
        (_drop, "one of 2999"),
        (_append, "one of 3001"),
    ],
)
def test_a_run_of_lines_does_not_go_on_with_others(
    *,
    edit: Callable[[list[bytes]], Any],
    got: str,
    stopped: tuple[str, Path],
    hand_over: HandOver,
    keys: Keyspace,
    client: redis.Redis,
) -> None:
    run_id, file = stopped
    lines = numbers(3_000)
    edit(lines)
    file.write_bytes(b"\n".join(lines) + b"\n")
    before = stored_values(client, keys, 3)
    with pytest.raises(InvalidInputError) as caught:
        hand_over.produce(resume=run_id, values=str(file))
    assert (caught.value.exit_code, caught.value.where) == (2, "--values")
    assert got in caught.value.got
    assert stored_values(client, keys, 3) == before


@pytest.mark.parametrize("damage", [{"skus": 0}, {"users": 10**17}, {"carts": 2}])
def test_a_record_of_a_shop_that_can_not_be_is_refused(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace, damage: dict[str, int]
) -> None:
    run_id = hand_over.produce(count=10).run_id
    client.hset(keys.run(run_id), mapping=damage)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError):
        hand_over.produce(resume=run_id)


def test_a_key_of_another_type_is_overwritten_by_the_resumed_run_too(
    hand_over: HandOver, link: FaultyLink, client: redis.Redis, keys: Keyspace
) -> None:
    client.set(keys.segment(1), "somebody else's")
    link.at(b"LPUSHX", lambda: None, is_forwarded=False)
    with pytest.raises(EndpointUnreachableError):
        hand_over.produce(url=link.url, count=5_000, overwrite=True, patience_s=0)
    run_id = next(entry["run_id"] for entry in hand_over.logged.entries if entry["event"] == "run started")
    assert hand_over.produce(resume=run_id, overwrite=True).run_id == run_id
    assert client.llen(keys.segment(1)) == 5_000
