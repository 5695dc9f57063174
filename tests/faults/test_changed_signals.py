"""Signals that say something else than what is published: A finds out, and B gets to the verdict all the same.

A byte was changed on the way, or a resume was killed between publication and signal, so that the newest signal of a
segment names an attempt before the published one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from server_a.run.outcome import RunSummary
from shared.errors import EndpointUnreachableError, HandoverError, VerificationFailedError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.state import SegmentState
from tests.stage.faulty_link import FaultyLink
from tests.stage.flipping import FlippingLink
from tests.stage.hand_over_in_process import HandOver, entries_of, numbers, stored_values

if TYPE_CHECKING:
    import redis

COUNT, SEGMENT, SEGMENTS = 3_500, 1_000, 4
# The field, the byte of its value, and what that becomes. 20261126T200440204Z-f6e875 is a token.
CHANGES = [
    ("run_id", 2, b"9"),  # a run to come
    ("run_id", 2, b"0"),  # a run long ago
    ("run_id", -1, b"0"),
    ("run_id", 8, b"x"),  # no token
    ("attempt", 2, b"9"),
    ("attempt", 2, b"0"),
    ("attempt", 17, b"9"),
    ("attempt", -1, b"0"),
    ("attempt", 18, b"x"),
    ("segment", 0, b"1"),
    ("segment", 0, b"2"),
    ("segment", 0, b"3"),
    ("segment", 0, b"4"),
    ("segment", 0, b"5"),
    ("segments", 0, b"1"),
    ("segments", 0, b"3"),
    ("segments", 0, b"9"),
    ("count", 0, b"9"),
    ("count", 0, b"0"),
    ("count", -1, b"1"),
    ("digest", 0, b"0"),
    ("digest", -1, b"f"),
    ("digest", 9, b"x"),
    ("schema_version", 0, b"2"),
]


def _require_told(client: redis.Redis, keys: Keyspace, run_id: str) -> None:
    """Check that the newest signal of each segment says what is published of it."""
    said: dict[int, Signal] = {}
    for _, fields in entries_of(client, keys.signals()):
        with suppress(HandoverError):
            signal = Signal.decode(fields)
            if signal.run_id == run_id:
                said[signal.segment] = signal
    for number in range(1, SEGMENTS + 1):
        key = keys.state(keys.segment(number))
        state = SegmentState.decode(key, client.hmget(key, SegmentState.FIELDS))
        assert state is not None
        assert said[number] == Signal(run_id, state.attempt, number, SEGMENTS, state.count, state.digest)


def _require_verified(summary: RunSummary, hand_over: HandOver, client: redis.Redis, keys: Keyspace) -> None:
    _require_told(client, keys, summary.run_id)
    assert stored_values(client, keys, SEGMENTS) == numbers(COUNT)
    with suppress(VerificationFailedError):  # of the signal that was changed; the right one comes behind it
        hand_over.consume(run_id=summary.run_id, settle_s=0.05, max_deliveries=1)
    report = hand_over.consume(run_id=summary.run_id, settle_s=0.05, max_deliveries=1)
    expected = ("verified", summary.digest, COUNT, SEGMENTS)
    assert (report.verdict, report.digest, report.count, report.segments) == expected
    resumed = hand_over.produce(resume=summary.run_id, await_verdict_s=0.1)
    assert (resumed.attempts, resumed.digest) == (0, summary.digest)


@pytest.mark.parametrize("nth", [1, 2, 4])
@pytest.mark.parametrize(("field", "place", "digit"), CHANGES)
def test_a_signal_that_was_changed_on_the_way_is_sent_again(
    *,
    field: str,
    place: int,
    digit: bytes,
    nth: int,
    server: Server,
    hand_over: HandOver,
    client: redis.Redis,
    keys: Keyspace,
) -> None:
    with FlippingLink(server.port, field, place, digit, nth=nth) as link:
        summary = hand_over.produce(url=link.url, count=COUNT, segment_values=SEGMENT)
        assert link.changed
    assert summary.lost_acknowledged == 0
    _require_verified(summary, hand_over, client, keys)


@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize(("field", "place", "digit"), CHANGES)
def test_a_run_that_was_killed_behind_such_a_signal_is_brought_to_its_end(
    *,
    field: str,
    place: int,
    digit: bytes,
    nth: int,
    server: Server,
    hand_over: HandOver,
    client: redis.Redis,
    keys: Keyspace,
) -> None:
    """What a consumer has made of that signal stands in the result, and the record has its id."""
    with FlippingLink(server.port, field, place, digit, nth=nth) as changing, FaultyLink(changing.port) as link:
        link.at(b"XRANGE", lambda: None, is_forwarded=False)  # the audit
        with pytest.raises(EndpointUnreachableError):
            hand_over.produce(url=link.url, count=COUNT, segment_values=SEGMENT, patience_s=0)
        assert changing.changed
    run_id = next(entry["run_id"] for entry in hand_over.logged.entries if entry["event"] == "run started")
    with suppress(HandoverError):
        hand_over.consume(run_id=run_id, settle_s=0.05, max_deliveries=1, wait_s=0.1)
    _require_verified(hand_over.produce(resume=run_id), hand_over, client, keys)


@pytest.mark.parametrize(("field", "place", "digit"), CHANGES)
def test_a_run_of_one_segment_that_was_killed_behind_such_a_signal_is_brought_to_its_end(
    *, field: str, place: int, digit: bytes, server: Server, hand_over: HandOver
) -> None:
    """The one entry of the stream may be no signal then; by its id and the run's, which the record has, it is ours."""
    with FlippingLink(server.port, field, place, digit) as changing, FaultyLink(changing.port) as link:
        link.at(b"XRANGE", lambda: None, is_forwarded=False)  # the audit
        with pytest.raises(EndpointUnreachableError):
            hand_over.produce(url=link.url, count=10, patience_s=0)
        assert changing.changed
    run_id = next(entry["run_id"] for entry in hand_over.logged.entries if entry["event"] == "run started")
    with suppress(HandoverError):
        hand_over.consume(run_id=run_id, settle_s=0.05, max_deliveries=1, wait_s=0.1)
    hand_over.produce(resume=run_id)
    with suppress(VerificationFailedError):
        hand_over.consume(run_id=run_id, settle_s=0.05, max_deliveries=1)
    assert hand_over.consume(run_id=run_id, settle_s=0.05, max_deliveries=1).verdict == "verified"


Loss = Callable[["redis.Redis", str, str], object]


@pytest.mark.parametrize("arrived", [False, True], ids=["not_sent", "not_noted"])
@pytest.mark.parametrize("number", range(1, SEGMENTS + 1))
@pytest.mark.parametrize(
    "lose",
    [
        pytest.param(lambda client, key, state_key: client.delete(key, state_key), id="list_and_state"),
        pytest.param(lambda client, key, _: client.delete(key), id="list"),
        pytest.param(lambda client, key, _: client.rpop(key), id="value"),
        pytest.param(lambda client, key, _: client.rpush(key, "x"), id="value_too_many"),
    ],
)
def test_a_resume_that_was_killed_before_its_signal_is_made_up_for(
    *,
    lose: Loss,
    number: int,
    arrived: bool,
    hand_over: HandOver,
    link: FaultyLink,
    client: redis.Redis,
    keys: Keyspace,
) -> None:
    summary = hand_over.produce(count=COUNT, segment_values=SEGMENT)
    hand_over.consume()
    lose(client, keys.segment(number), keys.state(keys.segment(number)))
    (link.lose_reply if arrived else lambda text: link.at(text, lambda: None, is_forwarded=False))(b"XADD")
    with pytest.raises(EndpointUnreachableError):
        hand_over.produce(url=link.url, resume=summary.run_id, patience_s=0)
    _require_verified(hand_over.produce(resume=summary.run_id), hand_over, client, keys)
