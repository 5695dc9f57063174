"""Before a run is reported: is what its verdicts say still what lies there, and do they agree with each other?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from server_b.report.judgement import has_all, judged
from shared.errors import NotFinishedError, VerificationFailedError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.state import SegmentState
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict, run_verdict
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import DIGEST, NEWER, OLDER, RUN, HandOver, entries_of

if TYPE_CHECKING:
    import redis

OTHER_DIGEST = DIGEST[::-1]
STATE = SegmentState(RUN, RUN, 10, DIGEST)
READ = SegmentVerdict(VERIFIED, RUN, 1, 1, 10, DIGEST, started_us=1, ended_us=2)
RECORD = RunRecord(RUN, "numbers", 40, 10, 2, 0, 0, 0, 0, 1_000)
LATER, EARLIER = replace(STATE, attempt=NEWER), replace(STATE, attempt=OLDER)
# what a state may say otherwise than the verdict on a list that was read
DIFFERENT: list[SegmentState | None] = [
    None, replace(STATE, run_id=OLDER), LATER, EARLIER, replace(STATE, digest=OTHER_DIGEST), replace(STATE, count=0),
    replace(STATE, count=9),
]  # fmt: skip
SEGMENTS = 6


@pytest.mark.parametrize("verdict", [VERIFIED, FAILED])
@pytest.mark.parametrize("number", range(1, SEGMENTS + 1))
@pytest.mark.parametrize("state", DIFFERENT)
def test_a_run_waits_for_a_segment_that_is_not_as_its_verdict_says(
    number: int, state: SegmentState | None, verdict: str
) -> None:
    verdicts = {n: replace(READ, segment=n, segments=SEGMENTS) for n in range(1, SEGMENTS + 1)}
    verdicts[number] = replace(verdicts[number], verdict=verdict)
    states: dict[int, SegmentState | None] = dict.fromkeys(range(1, SEGMENTS + 1), STATE)
    assert judged(RUN, verdicts, None, {**states, SEGMENTS + 1: None}).waits_for == ()
    assert judged(RUN, verdicts, None, {**states, number: state, SEGMENTS + 1: None}).waits_for == (number,)


@pytest.mark.parametrize("number", range(1, SEGMENTS + 1))
def test_a_list_that_is_not_as_long_as_its_state_says_is_waited_for_if_it_was_verified(number: int) -> None:
    """A failed one may have been as short when it was read, and no other signal would follow."""
    verdicts = {n: replace(READ, segment=n, segments=SEGMENTS) for n in range(1, SEGMENTS + 1)}
    states: dict[int, SegmentState | None] = {**dict.fromkeys(range(1, SEGMENTS + 1), STATE), SEGMENTS + 1: None}
    assert judged(RUN, verdicts, None, states, {number}).waits_for == (number,)
    verdicts[number] = replace(verdicts[number], verdict=FAILED)
    assert judged(RUN, verdicts, None, states, {number}).waits_for == ()
    verdicts[number] = replace(verdicts[number], verdict=VERIFIED)
    newer: SegmentState | None = replace(STATE, run_id=NEWER)
    assert judged(RUN, verdicts, None, {**states, number: newer}, {number}).waits_for == ()  # the newer run's to tell


@pytest.mark.parametrize(("state", "waits"), [(None, False), (EARLIER, False), (LATER, True)])
def test_what_never_arrived_waits_only_for_a_later_attempt(state: SegmentState | None, waits: bool) -> None:  # noqa: FBT001 - a parameter
    unread = replace(READ, verdict=FAILED, reason="never arrived", started_us=0)
    assert bool(judged(RUN, {1: unread}, None, {1: state, 2: None}).waits_for) is waits


@pytest.mark.parametrize("state", [None, replace(STATE, run_id=NEWER), replace(STATE, run_id=OLDER)])
def test_a_run_that_a_newer_one_replaces_waits_for_nothing(state: SegmentState | None) -> None:
    verdicts = {n: replace(READ, segment=n, segments=2) for n in (1, 2)}
    found = judged(RUN, verdicts, None, {1: replace(STATE, run_id=NEWER), 2: state, 3: None})
    is_replaced = state is not None and state.run_id == NEWER  # after it was verified
    assert (found.waits_for, run_verdict(found.verdicts)) == ((), VERIFIED if is_replaced else SUPERSEDED)


@pytest.mark.parametrize(("said", "is_known"), list(product(range(1, 5), [True, False])))
def test_a_run_of_four_segments_is_verified_only_by_signals_that_say_so(said: int, is_known: bool) -> None:  # noqa: FBT001 - a parameter
    """Without its record the state of another segment tells."""
    verdicts = {n: replace(READ, segment=n, segments=said) for n in range(1, said + 1)}
    states: dict[int, SegmentState | None] = {**dict.fromkeys(range(1, 5), STATE), 5: None}
    found = judged(RUN, verdicts, RECORD if is_known else None, states)
    assert run_verdict(found.verdicts) == (VERIFIED if said == 4 else FAILED)


@pytest.mark.parametrize("said", list(product(range(1, 5), repeat=4)))
def test_signals_that_disagree_are_never_verified(said: tuple[int, ...]) -> None:
    verdicts = {n: replace(READ, segment=n, segments=most) for n, most in enumerate(said, 1) if n <= most}
    if has_all(verdicts):
        found = judged(RUN, verdicts, None, {**dict.fromkeys(range(1, 5), STATE), 5: None})
        assert (run_verdict(found.verdicts) == VERIFIED) is (said == (4, 4, 4, 4))


@pytest.mark.parametrize("count", [1, 9, 11, 10**6])
def test_a_count_that_the_record_contradicts_is_not_verified(count: int) -> None:
    verdicts = {n: replace(READ, segment=n, segments=4) for n in range(1, 5)} | {
        3: replace(READ, segment=3, count=count, segments=4)
    }
    states = {**dict.fromkeys(range(1, 6), STATE), 3: replace(STATE, count=count), 5: None}
    assert run_verdict(judged(RUN, verdicts, RECORD, states).verdicts) == FAILED


class _CountingVerdicts(dict[int, SegmentVerdict]):
    passes = 0

    def values(self) -> Any:
        self.passes += 1
        return super().values()


@pytest.mark.parametrize("record", [None, replace(RECORD, count=4_000)])
def test_verdicts_are_passed_over_once_however_many_there_are(record: RunRecord | None) -> None:
    """Once for each of them made four minutes of 100,000, in which neither `--wait-s` nor a heartbeat was looked at."""
    verdicts = _CountingVerdicts({n: replace(READ, segment=n, segments=400) for n in range(1, 401)})
    found = judged(RUN, verdicts, record, {**dict.fromkeys(range(1, 401), STATE), 401: None})
    assert (run_verdict(found.verdicts), len(found.verdicts)) == (VERIFIED, 400)
    assert verdicts.passes <= 2


def _lose(client: redis.Redis, keys: Keyspace, number: int) -> None:
    client.delete(keys.segment(number), keys.state(keys.segment(number)))


def _evict(client: redis.Redis, keys: Keyspace, number: int) -> None:
    client.delete(keys.segment(number))


def _cut(client: redis.Redis, keys: Keyspace, number: int) -> None:
    client.lpop(keys.segment(number))


def _lengthen(client: redis.Redis, keys: Keyspace, number: int) -> None:
    client.rpush(keys.segment(number), "x")


@pytest.mark.parametrize("lose", [_lose, _evict, _cut, _lengthen])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_segment_that_was_lost_after_it_was_verified_is_waited_for(
    *, lose: Callable[[redis.Redis, Keyspace, int], None], number: int, hand_over: HandOver, client: redis.Redis,
    keys: Keyspace, link: FaultyLink,
) -> None:  # fmt: skip
    """It goes as the last verdict is recorded; what its producer writes again is read, and then the run is reported."""
    run_id = hand_over.produce(count=30, segment_values=10).run_id
    link.at(b"XACK", lambda: lose(client, keys, number), nth=3)
    with pytest.raises(NotFinishedError):
        hand_over.consume(url=link.url, wait_s=1.0)
    assert hand_over.reports == []
    assert any("is not there as its verdict says" in event for event in hand_over.events())
    hand_over.produce(resume=run_id)
    assert (hand_over.consume().run_id, hand_over.reports[-1].verdict) == (run_id, VERIFIED)


def test_a_failed_run_that_was_mended_meanwhile_is_reported_as_verified(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace, link: FaultyLink
) -> None:
    run_id = hand_over.produce(count=30, segment_values=10).run_id
    client.lset(keys.segment(2), 3, "x")

    def mend() -> None:
        _lose(client, keys, 2)
        hand_over.produce(resume=run_id)

    link.at(b"XACK", mend, nth=3)
    hand_over.consume(url=link.url)
    assert [(report.run_id, report.verdict) for report in hand_over.reports] == [(run_id, VERIFIED)]


def _says(segments: int) -> Callable[[dict[Any, Any]], dict[Any, Any]]:
    return lambda fields: {**fields, b"segments": b"%d" % segments}


@pytest.mark.parametrize("segments", [1, 2, 3, 5])
@pytest.mark.parametrize("has_record", [True, False])
def test_signals_of_another_size_are_not_verified(
    segments: int,
    has_record: bool,  # noqa: FBT001 - a parameter
    hand_over: HandOver,
    client: redis.Redis,
    keys: Keyspace,
) -> None:
    run_id = hand_over.produce(count=40, segment_values=10).run_id
    signals = [dict(fields) for _, fields in entries_of(client, keys.signals())]
    client.delete(keys.signals(), *([] if has_record else [keys.run(run_id)]))
    for fields in map(_says(segments), signals):
        client.xadd(keys.signals(), fields)
    with pytest.raises((NotFinishedError, VerificationFailedError)):
        hand_over.consume(wait_s=1.0)
    assert all(report.verdict == FAILED for report in hand_over.reports)
    assert client.xpending(keys.signals(), "server-b")["pending"] == 0


def test_a_signal_that_was_damaged_on_the_way_is_mended_by_the_next_one(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    """Of the same attempt, with another digest: the failed verdict is about a list that never was."""
    run_id = hand_over.produce(count=10).run_id
    ((_, fields),) = entries_of(client, keys.signals())
    client.delete(keys.signals())
    damaged: dict[Any, Any] = {**fields, b"digest": DIGEST.encode()}
    client.xadd(keys.signals(), damaged)
    with pytest.raises(NotFinishedError):
        hand_over.consume(wait_s=1.0)
    client.xadd(keys.signals(), dict(fields))  # type: ignore[arg-type]
    report = hand_over.consume()
    assert (report.run_id, report.verdict) == (run_id, VERIFIED)
