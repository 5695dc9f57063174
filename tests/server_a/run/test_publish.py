"""Publishing, retiring, and telling whether a publication happened: all or nothing, and never over something newer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from server_a.run.publish import Publication, is_published, publish
from server_a.run.states import retire
from shared.endpoint import optimistic
from shared.endpoint.opening import Endpoint, open_endpoint
from shared.endpoint.published import read_state
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import NotFinishedError, OutcomeUnknownError, SupersededError, TransientError, WrongKeyError
from shared.keys import Keyspace
from shared.state import SegmentState
from tests.stage.clocks import Clock
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import DIGEST, NEWER, OLDER, RUN, list_values
from tests.stage.waiting import wait_until

ATTEMPT = RUN
BLOCKS = bytes(range(16))

if TYPE_CHECKING:
    import redis


class Segment:
    """A segment's keys, with what stands under them."""

    def __init__(self, client: redis.Redis, keys: Keyspace) -> None:
        """Name them."""
        self._client = client
        self.key = keys.segment(1)
        self.state_key = keys.state(self.key)
        self.staging = keys.staging(self.key, ATTEMPT)
        self.publication = Publication(1, self.key, self.staging, SegmentState(RUN, ATTEMPT, 3, DIGEST), BLOCKS)

    def stage(self, *values: str) -> None:
        """Write a staging key with a time to live."""
        self._client.lpush(self.staging, *values)
        self._client.expire(self.staging, 3600)

    def stand(self, *, run_id: str, attempt: str, count: int = 2) -> None:
        """Have something published: a list of two values, or, with count 0, a retired name."""
        if count:
            self._client.rpush(self.key, "b", "a")
        state = SegmentState(run_id, attempt, count, DIGEST if count else "")
        self._client.hset(self.state_key, mapping=state.encode())  # type: ignore[arg-type]
        if count:
            self._client.hset(self.state_key, "blocks", BLOCKS)
        if not count:
            self._client.expire(self.state_key, 100)

    def values(self) -> list[bytes]:
        """What is published."""
        return list_values(self._client, self.key)


@pytest.fixture
def segment(client: redis.Redis, keys: Keyspace) -> Segment:
    return Segment(client, keys)


def _published(client: redis.Redis, segment: Segment) -> bool:
    return (
        segment.values() == [b"3", b"2", b"1"]
        and client.ttl(segment.key) == -1
        and client.ttl(segment.state_key) == -1
        and not client.exists(segment.staging)
    )


def test_the_list_and_its_state_stay_and_the_staging_key_is_gone(
    endpoint: Endpoint, keys: Keyspace, segment: Segment, client: redis.Redis
) -> None:
    segment.stage("1", "2", "3")
    publish(endpoint, keys, segment.publication, overwrite=False)
    assert _published(client, segment)
    assert read_state(endpoint, keys, segment.key) == segment.publication.state
    assert client.hget(segment.state_key, "blocks") == BLOCKS
    assert client.hlen(segment.state_key) == 5
    assert is_published(endpoint, keys, segment.publication)


@pytest.mark.parametrize(("run_id", "attempt"), [(OLDER, NEWER), (RUN, OLDER), (RUN, ATTEMPT)])
def test_what_is_older_is_replaced(
    *, run_id: str, attempt: str, endpoint: Endpoint, keys: Keyspace, segment: Segment, client: redis.Redis
) -> None:
    segment.stand(run_id=run_id, attempt=attempt)
    segment.stage("1", "2", "3")
    publish(endpoint, keys, segment.publication, overwrite=False)
    assert _published(client, segment)


def test_a_retired_name_is_used_again_without_its_time_to_live(
    endpoint: Endpoint, keys: Keyspace, segment: Segment, client: redis.Redis
) -> None:
    segment.stand(run_id=OLDER, attempt=OLDER, count=0)
    segment.stage("1", "2", "3")
    publish(endpoint, keys, segment.publication, overwrite=False)
    assert _published(client, segment)


@pytest.mark.parametrize(("run_id", "attempt"), [(NEWER, OLDER), (RUN, NEWER)])
@pytest.mark.parametrize("count", [2, 0])
def test_what_is_newer_stays(
    *, run_id: str, attempt: str, count: int, endpoint: Endpoint, keys: Keyspace, segment: Segment
) -> None:
    segment.stand(run_id=run_id, attempt=attempt, count=count)
    segment.stage("1", "2", "3")
    with pytest.raises(SupersededError):
        publish(endpoint, keys, segment.publication, overwrite=True)
    assert segment.values() == [b"b", b"a"][:count]
    assert read_state(endpoint, keys, segment.key) == SegmentState(run_id, attempt, count, DIGEST if count else "")


@pytest.mark.parametrize("staged", [(), ("1", "2"), ("1", "2", "3", "4")])
def test_a_staging_key_that_is_not_whole_replaces_nothing(
    staged: tuple[str, ...], endpoint: Endpoint, keys: Keyspace, segment: Segment
) -> None:
    segment.stand(run_id=OLDER, attempt=OLDER)
    if staged:
        segment.stage(*staged)
    with pytest.raises(TransientError):
        publish(endpoint, keys, segment.publication, overwrite=False)
    assert segment.values() == [b"b", b"a"]
    assert not is_published(endpoint, keys, segment.publication)


@pytest.fixture
def linked(link: FaultyLink) -> Iterator[Endpoint]:
    """An endpoint over a link: what the test has the link do at RENAME happens right before EXEC."""
    with closing(open_endpoint(EndpointSettings(url=parse_url(link.url)))) as endpoint:
        yield endpoint


def test_a_staging_key_that_expires_right_before_exec_replaces_nothing(
    linked: Endpoint, link: FaultyLink, keys: Keyspace, segment: Segment, client: redis.Redis
) -> None:
    def expire() -> None:
        client.pexpire(segment.staging, 1)
        wait_until(lambda: not client.exists(segment.staging), description="it has expired")

    segment.stand(run_id=OLDER, attempt=OLDER)
    segment.stage("1", "2", "3")
    link.at(b"RENAME", expire)
    with pytest.raises(TransientError):
        publish(linked, keys, segment.publication, overwrite=False)
    assert segment.values() == [b"b", b"a"]


def test_a_newer_run_that_publishes_right_before_exec_stays(
    linked: Endpoint, link: FaultyLink, keys: Keyspace, segment: Segment
) -> None:
    segment.stage("1", "2", "3")
    link.at(b"RENAME", lambda: segment.stand(run_id=NEWER, attempt=NEWER))
    with pytest.raises(SupersededError):
        publish(linked, keys, segment.publication, overwrite=True)
    assert segment.values() == [b"b", b"a"]


def test_a_list_of_somebody_elses_that_comes_right_before_exec_stays(
    linked: Endpoint, link: FaultyLink, keys: Keyspace, segment: Segment, client: redis.Redis
) -> None:
    segment.stage("1", "2", "3")
    link.at(b"RENAME", lambda: client.lpush(segment.key, "theirs"))
    with pytest.raises(WrongKeyError):
        publish(linked, keys, segment.publication, overwrite=False)
    assert segment.values() == [b"theirs"]


class ConflictClock(Clock):
    """A clock that goes forward at conflicts alone; pauses are real."""

    sleep = staticmethod(time.sleep)


def test_writers_that_never_pause_end_it_after_ten_seconds(
    *,
    linked: Endpoint,
    link: FaultyLink,
    keys: Keyspace,
    segment: Segment,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interfere() -> None:
        clock.move(1)
        client.lpush(segment.key, "x")

    clock = ConflictClock()
    monkeypatch.setattr(optimistic, "time", clock)
    segment.stage("1", "2", "3")
    segment.stand(run_id=OLDER, attempt=OLDER)
    for number in range(1, 11):
        link.at(b"RENAME", interfere, nth=number)
    with pytest.raises(NotFinishedError) as caught:
        publish(linked, keys, segment.publication, overwrite=False)
    assert "10 s" in caught.value.got
    assert len(segment.values()) == 12


def test_a_publication_whose_reply_is_lost_is_unknown_until_it_is_looked_for(
    linked: Endpoint, link: FaultyLink, keys: Keyspace, segment: Segment, client: redis.Redis
) -> None:
    segment.stage("1", "2", "3")
    link.lose_reply(b"RENAME")
    with pytest.raises(OutcomeUnknownError):
        publish(linked, keys, segment.publication, overwrite=False)
    assert is_published(linked, keys, segment.publication)
    assert _published(client, segment)


@pytest.mark.parametrize("is_string", [False, True])
def test_somebody_elses_key_is_replaced_only_when_told_to(
    *,
    is_string: bool,
    endpoint: Endpoint,
    keys: Keyspace,
    segment: Segment,
    client: redis.Redis,
) -> None:
    client.set(segment.key, "theirs") if is_string else client.lpush(segment.key, "theirs")
    segment.stage("1", "2", "3")
    with pytest.raises(WrongKeyError):
        publish(endpoint, keys, segment.publication, overwrite=False)
    assert client.exists(segment.staging)
    publish(endpoint, keys, segment.publication, overwrite=True)
    assert _published(client, segment)


def test_retiring_leaves_a_state_of_count_0_that_expires(
    endpoint: Endpoint, keys: Keyspace, segment: Segment, client: redis.Redis
) -> None:
    segment.stand(run_id=OLDER, attempt=OLDER)
    assert retire(endpoint, keys, segment.key, by=segment.publication.state, retain_ms=50_000)
    assert not client.exists(segment.key)
    assert read_state(endpoint, keys, segment.key) == SegmentState(RUN, ATTEMPT, 0, "")
    assert not client.hexists(segment.state_key, "blocks")
    assert 0 < client.pttl(segment.state_key) <= 50_000
    assert not retire(endpoint, keys, segment.key, by=SegmentState(NEWER, ATTEMPT, 3, DIGEST), retain_ms=50_000)


@pytest.mark.parametrize("run_id", [RUN, NEWER, None])
def test_what_is_not_older_is_not_retired(
    run_id: str | None, endpoint: Endpoint, keys: Keyspace, segment: Segment, client: redis.Redis
) -> None:
    if run_id:
        segment.stand(run_id=run_id, attempt=ATTEMPT)
    else:
        client.rpush(segment.key, "b", "a")
    assert not retire(endpoint, keys, segment.key, by=segment.publication.state, retain_ms=50_000)
    assert segment.values() == [b"b", b"a"]
