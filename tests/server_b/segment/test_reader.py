"""The list changes while it is read, in each way and at several moments: it is never said to be verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
import redis
from structlog import get_logger

from server_b.lease import Lease
from server_b.segment.examiner import MAX_READINGS, SegmentExaminer, StillMissingError
from server_b.segment.look import SegmentLook
from server_b.segment.progress import RunProgress
from server_b.settings import ConsumerSettings
from shared.endpoint import window
from shared.endpoint.opening import Endpoint, open_endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import TransientError, WrongKeyError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.stopping import StopRequest
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict
from shared.witness import Witness
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver, entries_of, numbers
from tests.stage.waiting import wait_until

COUNT = 20_500
BEFORE_THE_LOOK, BEFORE_THE_READING = (b"", -1), (b"", 0)
# With one transaction of eight chunks in flight: 8 and 16 chunks of 21 are read when these LRANGEs come, and all
# when the length is asked for again.
AFTER_8_CHUNKS, AFTER_16_CHUNKS, AFTER_ALL_CHUNKS = (b"LRANGE", 11), (b"LRANGE", 19), (b"LLEN", 2)
MOMENTS = [BEFORE_THE_LOOK, BEFORE_THE_READING, AFTER_8_CHUNKS, AFTER_16_CHUNKS, AFTER_ALL_CHUNKS]
Moment = tuple[bytes, int]
Change = Callable[[redis.Redis, str], object]


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


class HastyLease(Lease):
    """A lease of an entry for which nothing may wait."""

    def pause(self, seconds: float) -> None:
        """Refuse to wait."""
        raise AssertionError(f"it wants to wait {seconds} s")


class Examination:
    """One examination of a published run, with a change at a certain moment."""

    def __init__(
        self, hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, stop: StopRequest, link: FaultyLink
    ) -> None:
        """Publish a run and read its signal; `endpoint` leads through the link."""
        self.keys = hand_over.keys
        self.summary = hand_over.produce(count=COUNT)
        self.entry_id, fields = entries_of(client, self.keys.signals())[-1]
        self.signal = Signal.decode(fields)
        self._endpoint, self._stop, self._link = endpoint, stop, link

    def examine(self, change: Callable[[], object], moment: Moment) -> SegmentVerdict | None:
        """Examine the segment, with a change at a moment: when a request with a text comes for the nth time."""
        if moment == BEFORE_THE_LOOK:
            change()
        look = SegmentLook.read(self._endpoint, self.keys, self.signal, self.entry_id)
        if moment == BEFORE_THE_READING:
            change()
        text, nth = moment
        if text:
            self._link.at(text, change, nth=nth)
        settings = ConsumerSettings(consumer="b", settle_s=0)
        lease = HastyLease(settings, self._stop, get_logger(), endpoint="")
        retry = Retry(0.0, self._stop, on_outage=_refuse, refresh=self._endpoint.refresh)
        examiner = SegmentExaminer(self._endpoint, self.keys, settings, lease, retry, RunProgress(), get_logger())
        return examiner.examine(self.signal, look)


def _opened(url: str) -> Endpoint:
    return open_endpoint(EndpointSettings(url=parse_url(url)))


def _refuse(error: TransientError) -> None:
    raise error


@pytest.fixture
def reading(
    hand_over: HandOver, link: FaultyLink, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Examination]:
    monkeypatch.setattr(window, "MAX_BYTES", window.LEAST_BYTES)  # one transaction at a time
    with closing(StopRequest()) as stop, closing(_opened(link.url)) as endpoint:
        yield Examination(hand_over, endpoint, client, stop, link)


def test_a_list_at_rest_is_verified(reading: Examination) -> None:
    verdict = reading.examine(lambda: None, BEFORE_THE_READING)
    assert verdict is not None
    assert (verdict.verdict, verdict.count, verdict.digest) == (VERIFIED, COUNT, reading.signal.digest)
    assert verdict.first == [str(number) for number in range(COUNT, COUNT - 10, -1)]
    assert verdict.last == "1"


@pytest.mark.parametrize("moment", [BEFORE_THE_LOOK, BEFORE_THE_READING, AFTER_8_CHUNKS, AFTER_ALL_CHUNKS])
@pytest.mark.parametrize("name", CHANGES)
def test_a_list_that_somebody_changes_is_not_verified(
    *, name: str, moment: Moment, reading: Examination, client: redis.Redis, keys: Keyspace
) -> None:
    key = keys.segment(1)
    verdict = reading.examine(lambda: CHANGES[name](client, key), moment)
    assert verdict is not None
    assert verdict.verdict == FAILED
    assert verdict.reason


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_key_that_becomes_a_string_is_refused(
    moment: Moment, reading: Examination, client: redis.Redis, keys: Keyspace
) -> None:
    with pytest.raises(WrongKeyError):
        reading.examine(lambda: client.set(keys.segment(1), "x"), moment)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_list_that_a_newer_run_replaces_is_superseded(
    moment: Moment, reading: Examination, hand_over: HandOver
) -> None:
    newer = []
    verdict = reading.examine(lambda: newer.append(hand_over.produce(count=COUNT)), moment)
    assert verdict is not None
    assert (verdict.verdict, verdict.reason) == (SUPERSEDED, f"by run {newer[0].run_id}")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_list_that_a_newer_run_retires_is_superseded(
    moment: Moment, reading: Examination, hand_over: HandOver
) -> None:
    verdict = reading.examine(lambda: hand_over.produce(count=COUNT, segment_values=15_000), moment)
    assert verdict is not None
    assert verdict.verdict == SUPERSEDED


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_list_that_a_later_attempt_replaces_gets_no_verdict(
    moment: Moment, reading: Examination, hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    def write_again() -> None:
        client.delete(keys.segment(1), keys.state(keys.segment(1)))
        hand_over.produce(resume=reading.summary.run_id)

    assert reading.examine(write_again, moment) is None


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_list_that_went_away_with_its_state_is_still_missing(
    moment: Moment, reading: Examination, client: redis.Redis, keys: Keyspace
) -> None:
    key = keys.segment(1)
    with pytest.raises(StillMissingError):
        reading.examine(lambda: client.delete(key, keys.state(key)), moment)


def test_a_list_that_never_rests_fails(
    reading: Examination, link: FaultyLink, client: redis.Redis, keys: Keyspace
) -> None:
    touched = []

    def touch() -> None:
        client.lset(keys.segment(1), 0, str(COUNT))
        touched.append(True)
        if len(touched) < MAX_READINGS:
            link.at(b"LLEN", touch, nth=2)

    verdict = reading.examine(touch, AFTER_ALL_CHUNKS)
    assert verdict is not None
    assert verdict.verdict == FAILED
    assert "kept changing" in verdict.reason
    assert verdict.witness == Witness("kept_changing", 1)
    assert len(touched) == MAX_READINGS
