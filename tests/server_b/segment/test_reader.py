"""The list changes while it is read, in each way and at several moments: it is never said to be verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from structlog import get_logger

from server_b.lease import Lease
from server_b.segment.chunks import chunks_from_head
from server_b.segment.examiner import SegmentExaminer, StillMissingError
from server_b.segment.look import SegmentLook
from server_b.segment.progress import RunProgress
from server_b.segment.reader import SegmentReader
from server_b.settings import ConsumerSettings
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.errors import SegmentChangedError, TransientError, WrongKeyError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.stopping import StopRequest
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict
from tests.stage.hand_over_in_process import HandOver, entries_of, numbers
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis

COUNT = 20_500
CHUNKS = 21
BEFORE_THE_LOOK, BEFORE_THE_READING = -1, 0
MOMENTS = [BEFORE_THE_LOOK, BEFORE_THE_READING, 1, 11, CHUNKS]
Change = Callable[["redis.Redis", str], object]


def _swap(client: redis.Redis, key: str, one: int, other: int) -> None:
    first, second = client.lindex(key, one), client.lindex(key, other)
    assert first is not None
    assert second is not None
    client.lset(key, one, second)  # type: ignore[arg-type]
    client.lset(key, other, first)  # type: ignore[arg-type]


def _rename_over(client: redis.Redis, key: str) -> None:
    other = key.replace("biglist", "biglist:2")
    client.rpush(other, *numbers(COUNT))
    client.rename(other, key)


def _rewrite_by_hand(client: redis.Redis, key: str) -> None:
    with client.pipeline() as pipeline:
        pipeline.delete(key)
        pipeline.lpush(key, *numbers(COUNT, first=2))
        pipeline.execute()


def _expire(client: redis.Redis, key: str) -> None:
    client.pexpire(key, 1)
    wait_until(lambda: not client.exists(key), description="the list has expired")


CHANGES: dict[str, Change] = {
    "LPOP": lambda client, key: client.lpop(key),
    "RPOP": lambda client, key: client.rpop(key),
    "LPUSH": lambda client, key: client.lpush(key, "x"),
    "RPUSH": lambda client, key: client.rpush(key, "x"),
    "LPUSH of a value twice": lambda client, key: client.lpush(key, str(COUNT)),
    "LSET of the head": lambda client, key: client.lset(key, 0, "x"),
    "LSET of the tail": lambda client, key: client.lset(key, -1, "x"),
    "LSET in the middle": lambda client, key: client.lset(key, COUNT // 2, "0"),
    "LSET to a longer number": lambda client, key: client.lset(key, COUNT // 2, f"0{COUNT - COUNT // 2}"),
    "LREM": lambda client, key: client.lrem(key, 1, "77"),
    "LINSERT": lambda client, key: client.linsert(key, "BEFORE", "77", "x"),
    "LTRIM to half": lambda client, key: client.ltrim(key, 0, COUNT // 2),
    "LTRIM of the head": lambda client, key: client.ltrim(key, 1, -1),
    "swap of neighbours": lambda client, key: _swap(client, key, 5, 6),
    "swap of head and tail": lambda client, key: _swap(client, key, 0, -1),
    "rotation": lambda client, key: client.lmove(key, key),
    "DEL": lambda client, key: client.delete(key),
    "expiry": _expire,
    "RENAME of another list": _rename_over,
    "DEL and LPUSH": _rewrite_by_hand,
    "SORT by its own order": lambda client, key: client.sort(key, store=key),
}


class CountingLease(Lease):
    """A lease that counts chunks and carries out what is to happen after one of them; nothing may wait."""

    def __init__(self, stop: StopRequest, change: Callable[[], object], *, after_chunk: int) -> None:
        """Have counted none."""
        super().__init__(ConsumerSettings(consumer="b"), stop, get_logger(), endpoint="")
        self._change, self._after_chunk = change, after_chunk
        self.chunks = 0

    def tick(self) -> None:
        """Count a chunk."""
        self.chunks += 1
        if self.chunks == self._after_chunk:
            self._change()

    def pause(self, seconds: float) -> None:
        """Refuse to wait."""
        raise AssertionError(f"it wants to wait {seconds} s")


class Reading:
    """One examination of a published run, with a change at a certain moment.

    Attributes:
        lease: Of the last examination.
    """

    lease: CountingLease

    def __init__(self, hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, stop: StopRequest) -> None:
        """Publish a run and read its signal."""
        self.keys = hand_over.keys
        self.summary = hand_over.produce(count=COUNT)
        self.entry_id, fields = entries_of(client, self.keys.signals())[-1]
        self.signal = Signal.decode(fields)
        self._endpoint, self._stop = endpoint, stop

    def examine(self, change: Callable[[], object], *, after_chunk: int) -> SegmentVerdict | None:
        """Examine the segment.

        Args:
            change: What happens meanwhile.
            after_chunk: After which chunk; 0 for between the look at the segment and the reading, -1 for before both.
        """
        if after_chunk == BEFORE_THE_LOOK:
            change()
        look = SegmentLook.read(self._endpoint, self.keys, self.signal, self.entry_id)
        if after_chunk == BEFORE_THE_READING:
            change()
        self.lease = CountingLease(self._stop, change, after_chunk=after_chunk)
        retry = Retry(0.0, self._stop, on_outage=_refuse, refresh=self._endpoint.refresh)
        settings = ConsumerSettings(consumer="b", settle_s=0)
        examiner = SegmentExaminer(self._endpoint, self.keys, settings, self.lease, retry, RunProgress())
        return examiner.examine(self.signal, look)


def _refuse(error: TransientError) -> None:
    raise error


@pytest.fixture
def reading(hand_over: HandOver, endpoint: Endpoint, client: redis.Redis) -> Iterator[Reading]:
    with closing(StopRequest()) as stop:
        yield Reading(hand_over, endpoint, client, stop)


def test_a_list_at_rest_is_verified(reading: Reading) -> None:
    verdict = reading.examine(lambda: None, after_chunk=BEFORE_THE_READING)
    assert verdict is not None
    assert (verdict.verdict, verdict.count, verdict.digest) == (VERIFIED, COUNT, reading.signal.digest)
    assert verdict.first == [str(number) for number in range(COUNT, COUNT - 10, -1)]
    assert (verdict.last, reading.lease.chunks) == ("1", CHUNKS)


@pytest.mark.parametrize("after_chunk", [BEFORE_THE_LOOK, BEFORE_THE_READING, 5, CHUNKS])
@pytest.mark.parametrize("name", CHANGES)
def test_a_list_that_somebody_changes_is_not_verified(
    *, name: str, after_chunk: int, reading: Reading, client: redis.Redis, keys: Keyspace
) -> None:
    key = keys.segment(1)
    verdict = reading.examine(lambda: CHANGES[name](client, key), after_chunk=after_chunk)
    assert verdict is not None
    assert verdict.verdict == FAILED
    assert verdict.reason
    assert reading.lease.chunks >= after_chunk


@pytest.mark.parametrize("after_chunk", MOMENTS)
def test_a_key_that_becomes_a_string_is_refused(
    after_chunk: int, reading: Reading, client: redis.Redis, keys: Keyspace
) -> None:
    with pytest.raises(WrongKeyError):
        reading.examine(lambda: client.set(keys.segment(1), "x"), after_chunk=after_chunk)


@pytest.mark.parametrize("after_chunk", MOMENTS)
def test_a_list_that_a_newer_run_replaces_is_superseded(
    after_chunk: int, reading: Reading, hand_over: HandOver
) -> None:
    newer = []
    verdict = reading.examine(lambda: newer.append(hand_over.produce(count=COUNT)), after_chunk=after_chunk)
    assert verdict is not None
    assert (verdict.verdict, verdict.reason) == (SUPERSEDED, f"by run {newer[0].run_id}")


@pytest.mark.parametrize("after_chunk", MOMENTS)
def test_a_list_that_a_newer_run_retires_is_superseded(after_chunk: int, reading: Reading, hand_over: HandOver) -> None:
    verdict = reading.examine(lambda: hand_over.produce(count=COUNT, segment_values=15_000), after_chunk=after_chunk)
    assert verdict is not None
    assert verdict.verdict == SUPERSEDED


@pytest.mark.parametrize("after_chunk", MOMENTS)
def test_a_list_that_a_later_attempt_replaces_gets_no_verdict(
    after_chunk: int, reading: Reading, hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    def write_again() -> None:
        client.delete(keys.segment(1), keys.state(keys.segment(1)))
        hand_over.produce(resume=reading.summary.run_id)

    assert reading.examine(write_again, after_chunk=after_chunk) is None


@pytest.mark.parametrize("after_chunk", MOMENTS)
def test_a_list_that_went_away_with_its_state_is_still_missing(
    after_chunk: int, reading: Reading, client: redis.Redis, keys: Keyspace
) -> None:
    key = keys.segment(1)
    with pytest.raises(StillMissingError):
        reading.examine(lambda: client.delete(key, keys.state(key)), after_chunk=after_chunk)


def test_a_list_that_never_rests_fails(reading: Reading, client: redis.Redis, keys: Keyspace) -> None:
    def touch() -> None:
        client.lset(keys.segment(1), 0, str(COUNT))
        reading.lease.chunks -= 1

    verdict = reading.examine(touch, after_chunk=5)
    assert verdict is not None
    assert verdict.verdict == FAILED
    assert "kept changing" in verdict.reason


@pytest.mark.parametrize("together", [1, 4])
@pytest.mark.parametrize("count", [1, 999, 1_001, 4_000])
def test_a_reader_hands_out_each_value_once_from_the_head(
    count: int, together: int, endpoint: Endpoint, keys: Keyspace, client: redis.Redis
) -> None:
    client.lpush(keys.segment(1), *numbers(count))
    in_reverse = numbers(count)[::-1]
    reader = SegmentReader(endpoint, keys, keys.segment(1), expected=(None, None))
    opening = reader.open(chunks_from_head(count, chunk_values=300), together=together, first=10)
    assert (opening.length, opening.first, opening.last) == (count, in_reverse[:10], b"1")
    found = [value for _, values in reader.read() for value in values]
    assert found == in_reverse
    reader.require_untouched(count)
    client.lpop(keys.segment(1))
    with pytest.raises(SegmentChangedError):
        reader.require_untouched(count)
    reader.close()
