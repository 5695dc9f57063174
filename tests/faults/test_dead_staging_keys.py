"""Staging keys of attempts that failed: bytes of a dead connection may create them again, and take room for an hour.

So the record keeps the token of every attempt until the run is done, also of one that another attempt has followed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from shared.endpoint import retry
from shared.errors import HandoverError
from shared.keys import Keyspace
from shared.record import attempt_field
from shared.stopping import StopRequest
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver, list_keys, numbers, stored_values
from tests.stage.status_checks import begun_run
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis

COUNT, SEGMENT, SEGMENTS = 30_000, 10_000, 3
OWN = {"count": COUNT, "segment_values": SEGMENT}


@pytest.fixture
def stop() -> Iterator[StopRequest]:
    with closing(StopRequest()) as request:
        yield request


def _attempts(hand_over: HandOver, keys: Keyspace) -> list[str]:
    """Return the staging keys of all attempts that the logs say were lost."""
    lost = [entry for entry in hand_over.logged.entries if entry["event"] == "attempt lost"]
    return [keys.staging(keys.segment(entry["segment"]), entry["attempt"]) for entry in lost]


def _arrive_late(client: redis.Redis, staging_keys: list[str]) -> None:
    """Create the keys as the first transaction of their attempts does."""
    for key in staging_keys:
        client.lpush(key, *numbers(10))
        client.expire(key, 3_600)


@pytest.mark.parametrize("is_stopped", [True, False], ids=["stopped", "cut_off"])
@pytest.mark.parametrize("losses", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("nth", [1, 8, 14, 23, 27])
def test_a_resume_removes_what_arrives_late_of_any_attempt(
    *,
    nth: int,
    losses: int,
    is_stopped: bool,
    server: Server,
    hand_over: HandOver,
    link: FaultyLink,
    client: redis.Redis,
    keys: Keyspace,
    stop: StopRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for place in range(losses):  # each cuts the attempt that follows the one before
        link.at(b"LPUSHX", lambda: None, nth=nth + place, is_forwarded=False)

    def end() -> None:
        if is_stopped:
            stop.request()
        else:
            link.refuse()
            skipped_s[0] = 3_600.0  # the patience is over
        link.cut()

    skipped_s = [0.0]
    monkeypatch.setattr(retry, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + skipped_s[0]))
    link.at(b"XRANGE", end)  # the audit
    with pytest.raises(HandoverError):
        hand_over.produce(url=link.url, stop=stop, **OWN)
    dead = _attempts(hand_over, keys)
    assert dead
    _arrive_late(client, dead)
    seen: list[int] = []
    with FaultyLink(server.port) as again:
        again.at(b"HSETNX", lambda: seen.append(client.exists(*dead)))
        again.at(b"XRANGE", lambda: _arrive_late(client, dead), nth=2)
        hand_over.produce(url=again.url, resume=begun_run(hand_over))
    assert seen == [0]
    assert list_keys(client, keys) == {keys.segment(number) for number in range(1, SEGMENTS + 1)}
    assert stored_values(client, keys, SEGMENTS) == numbers(COUNT)


@pytest.mark.parametrize("nth", [3, 12, 22])
def test_a_record_that_a_failover_lost_names_the_attempts_under_way_again(
    nth: int, hand_over: HandOver, link: FaultyLink, client: redis.Redis, keys: Keyspace
) -> None:
    """Looked at with the first request after that, whatever it is: all signals may be sent together before or after."""
    missing: list[str] = []

    def look() -> None:
        wait_until(lambda: client.exists(keys.run(begun_run(hand_over))), description="the record is written again")
        record = client.hgetall(keys.run(begun_run(hand_over)))
        for key in list_keys(client, keys):
            segment_key, _, attempt = key.partition(":staging:")
            numbers_of = {f"{{{keys.segment(number)}}}": number for number in range(1, 9)}
            if attempt and record.get(attempt_field(numbers_of[segment_key]).encode()) != attempt.encode():
                missing.append(key)

    link.at(b"LPUSHX", lambda: client.delete(keys.run(begun_run(hand_over))), nth=nth)
    link.at(b"LPUSHX", lambda: link.at(b"PEXPIRE", lambda: link.at(b"\r\n", look)), nth=nth)
    hand_over.produce(url=link.url, count=8 * SEGMENT, segment_values=SEGMENT)
    assert not missing
