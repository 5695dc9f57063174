"""One attempt at a segment: what stands in the staging key afterwards, and what ends it."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import pytest

from server_a import segment_writer
from server_a.segment_writer import STAGING_TTL_S, SegmentWriter
from server_a.values import NumberSource
from shared.endpoint.client import Endpoint, open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.wire import Wire
from shared.errors import ConnectionLostError, NotFinishedError
from shared.keys import Keyspace
from shared.segments import SegmentRange
from tests.faulty_link import FaultyLink
from tests.hand_over import RUN, numbers
from tests.servers import Kind, NewServer, connect
from tests.waiting import wait_until

if TYPE_CHECKING:
    import redis


@pytest.fixture
def staging(keys: Keyspace) -> str:
    return keys.staging(keys.segment(1), RUN)


class Attempt:
    """An attempt over a wire of its own, with something that happens after a batch was sent."""

    def __init__(self, endpoint: Endpoint, staging: str, *, after_batch: int = 0, then: object = None) -> None:
        """Prepare it; `then` is called, or raised, after the batch of that number."""
        self._after_batch, self._then = after_batch, then
        self._batches = 0
        self.wire = endpoint.wire(staging)
        self.writer = SegmentWriter(self.wire, staging, on_batch=self._count)

    def write(self, count: int) -> tuple[int, str]:
        """Write the numbers from 1 on; return count and digest."""
        with self.wire:
            written = self.writer.write(NumberSource(count).batches(SegmentRange(1, 0, count)))
        return written.count, written.digest

    def _count(self, values: int, longest: int) -> None:
        assert values
        assert longest
        self._batches += 1
        if self._batches == self._after_batch:
            if isinstance(self._then, Exception):
                raise self._then
            assert callable(self._then)
            self._then()


def _digest(values: list[bytes]) -> str:
    outer = blake2b(digest_size=16)
    for start in range(0, len(values), 1_000):
        outer.update(blake2b(b"\n".join(values[start : start + 1_000]), digest_size=16).digest())
    return outer.hexdigest()


@pytest.mark.parametrize("count", [1, 2, 999, 1_000, 1_001, 12_345])
def test_the_newest_value_is_at_the_head_and_the_key_expires(
    count: int, endpoint: Endpoint, staging: str, client: redis.Redis
) -> None:
    assert Attempt(endpoint, staging).write(count) == (count, _digest(numbers(count)))
    assert client.lrange(staging, 0, -1) == numbers(count)[::-1]
    assert 0 < client.ttl(staging) <= STAGING_TTL_S


def test_four_batches_are_in_flight_and_no_more(
    endpoint: Endpoint, staging: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_flight = [0]
    attempt = Attempt(endpoint, staging, after_batch=1, then=lambda: in_flight.append(0))  # the key is made
    wire = attempt.wire

    def send(packed: bytes) -> None:
        in_flight.append(in_flight[-1] + (b"LPUSHX" in packed))
        Wire.send(wire, packed)

    def read() -> object:
        in_flight.append(in_flight[-1] - 1)
        return Wire.read(wire)

    monkeypatch.setattr(wire, "send", send)
    monkeypatch.setattr(wire, "read", read)
    assert attempt.write(20_000)[0] == 20_000
    begun = in_flight[in_flight.index(1) - 1 :]
    assert (max(begun), min(begun), begun[-1]) == (4, 0, 0)
    assert begun.count(4) == 20 - 1 - 3  # whenever there is more to send


def test_the_time_to_live_is_renewed_while_it_is_written(
    endpoint: Endpoint, staging: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_writer, "RENEW_TTL_AFTER_S", -1)
    attempt = Attempt(endpoint, staging, after_batch=2, then=lambda: client.expire(staging, 100))
    assert attempt.write(5_000)[0] == 5_000
    assert client.ttl(staging) > 100


@pytest.mark.parametrize("after_batch", [1, 2, 5, 9])
def test_a_key_that_went_away_ends_the_attempt_and_is_not_made_again(
    after_batch: int, endpoint: Endpoint, staging: str, client: redis.Redis
) -> None:
    attempt = Attempt(endpoint, staging, after_batch=after_batch, then=lambda: client.unlink(staging))
    with pytest.raises(ConnectionLostError) as caught:
        attempt.write(20_000)
    assert caught.value.answered
    assert not client.exists(staging)


def test_a_key_that_expired_ends_the_attempt_and_is_not_made_again(
    endpoint: Endpoint, staging: str, client: redis.Redis
) -> None:
    def expire() -> None:
        client.pexpire(staging, 1)
        wait_until(lambda: not client.exists(staging), description="the key has expired")

    with pytest.raises(ConnectionLostError):
        Attempt(endpoint, staging, after_batch=3, then=expire).write(20_000)
    assert not client.exists(staging)


def test_a_value_of_somebody_elses_ends_the_attempt(endpoint: Endpoint, staging: str, client: redis.Redis) -> None:
    with pytest.raises(ConnectionLostError):
        Attempt(endpoint, staging, after_batch=3, then=lambda: client.lpush(staging, "x")).write(20_000)


def test_a_key_that_somebody_holds_already_ends_the_attempt(
    endpoint: Endpoint, staging: str, client: redis.Redis
) -> None:
    client.lpush(staging, "x")
    with pytest.raises(ConnectionLostError):
        Attempt(endpoint, staging).write(10)


def test_an_exception_between_batches_ends_the_attempt(endpoint: Endpoint, staging: str) -> None:
    stop = NotFinishedError(where="test", expected="to finish", got="a stop")
    with pytest.raises(NotFinishedError) as caught:
        Attempt(endpoint, staging, after_batch=4, then=stop).write(20_000)
    assert caught.value is stop


@pytest.mark.parametrize("byte_count", [150, 400, 9_000, 60_000, 100_000])
def test_a_connection_cut_in_the_middle_of_a_command_leaves_whole_batches_that_expire(
    byte_count: int, link: FaultyLink, staging: str, client: redis.Redis
) -> None:
    endpoint = open_endpoint(EndpointSettings(url=link.url))
    link.cut_after("to_server", byte_count)
    with pytest.raises(ConnectionLostError) as caught:
        Attempt(endpoint, staging).write(20_000)
    assert not caught.value.answered
    assert client.llen(staging) % 1_000 == 0
    assert not client.exists(staging) or client.ttl(staging) > 0
    endpoint.close()


def test_a_full_server_is_said_to_be_full(new_server: NewServer, server_kind: Kind, staging: str) -> None:
    full = new_server(server_kind, "--maxmemory", "8mb", "--maxmemory-policy", "noeviction")
    endpoint = open_endpoint(EndpointSettings(url=full.url))
    with pytest.raises(NotFinishedError) as caught:
        Attempt(endpoint, staging).write(5_000_000)
    assert "memory" in caught.value.expected
    with connect(full) as client:
        assert client.ttl(staging) > 0
    endpoint.close()
