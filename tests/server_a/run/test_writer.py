"""One attempt at a segment: what stands in the staging key afterwards, and what ends it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from hashlib import blake2b
from typing import TYPE_CHECKING

import pytest

from server_a.run import writer as segment_writer
from server_a.run.tasks import WrittenSegment
from server_a.run.values import Batch, NumberSource, encode_lines
from server_a.run.writer import STAGING_TTL_S, SegmentWriter
from shared.endpoint.batch_connection import BatchConnection, Reply
from shared.endpoint.opening import Endpoint, open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.endpoint.window import FIRST_BYTES, MAX_BYTES
from shared.errors import HandoverError, NotFinishedError, TransientError
from shared.keys import Keyspace
from shared.segments import SegmentRange
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import RUN, numbers
from tests.stage.servers import Kind, NewServer, connect
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis


@pytest.fixture
def staging(keys: Keyspace) -> str:
    return keys.staging(keys.segment(1), RUN)


class Attempt:
    """An attempt over a connection of its own, with something that happens after a batch was sent."""

    def __init__(self, endpoint: Endpoint, staging: str, *, after_batch: int = 0, then: object = None) -> None:
        """Prepare it; `then` is called, or raised, after the batch of that number."""
        self._after_batch, self._then = after_batch, then
        self.connection = endpoint.batch(staging)
        self.writer = SegmentWriter(self.connection, staging)

    def write(self, count: int) -> tuple[int, str]:
        """Write the numbers from 1 on; return count and digest."""
        written = self.write_batches(NumberSource(count).batches(SegmentRange(1, 0, count)))
        return written.count, written.digest

    def write_batches(self, batches: Iterable[Batch]) -> WrittenSegment:
        """Write batches, and give the connection back."""
        with closing(self.connection):
            return self.writer.write(self._watched(batches))

    def _watched(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        for number, batch in enumerate(batches):
            if number and number == self._after_batch:
                if isinstance(self._then, Exception):
                    raise self._then
                assert callable(self._then)
                self._then()
            yield batch


def _blocks(values: list[bytes]) -> bytes:
    blocks = [values[start : start + 1_000] for start in range(0, len(values), 1_000)]
    return b"".join(blake2b(b"\n".join(block), digest_size=16).digest() for block in blocks)


def _digest(values: list[bytes]) -> str:
    return blake2b(_blocks(values), digest_size=16).hexdigest()


@pytest.mark.parametrize("count", [1, 2, 999, 1_000, 1_001, 12_345])
def test_the_newest_value_is_at_the_head_and_the_key_expires(
    count: int, endpoint: Endpoint, staging: str, client: redis.Redis
) -> None:
    assert Attempt(endpoint, staging).write(count) == (count, _digest(numbers(count)))
    assert client.lrange(staging, 0, -1) == numbers(count)[::-1]
    assert 0 < client.ttl(staging) <= STAGING_TTL_S


@pytest.mark.parametrize("count", [1, 1_000, 1_001, 12_345])
def test_what_was_written_has_the_digest_of_each_block(count: int, endpoint: Endpoint, staging: str) -> None:
    written = Attempt(endpoint, staging).write_batches(NumberSource(count).batches(SegmentRange(1, 0, count)))
    assert written.blocks == _blocks(numbers(count))


class InFlight:
    """What a connection has sent and not been answered yet.

    Attributes:
        byte_counts: In flight after each command sent.
    """

    def __init__(self, connection: BatchConnection, monkeypatch: pytest.MonkeyPatch) -> None:
        """Watch a connection."""
        self._sent: deque[list[int]] = deque()
        self._send, self._read_on = connection.send, connection.read_on
        self.byte_counts: list[int] = []
        monkeypatch.setattr(connection, "send", self.send)
        monkeypatch.setattr(connection, "read_on", self.read_on)

    def send(self, packed: bytes, *, replies: int, flight_bytes: int = 0) -> None:
        """Send, and count."""
        assert flight_bytes == len(packed)
        self._sent.append([len(packed), replies])
        self.byte_counts.append(sum(size for size, _ in self._sent))
        self._send(packed, replies=replies, flight_bytes=flight_bytes)

    def read_on(self, replies: int, key_at: Callable[[int], str]) -> tuple[list[Reply], HandoverError | None]:
        """Read, and count what was answered with the last of its replies."""
        for _ in range(replies):
            self._sent[0][1] -= 1
            if not self._sent[0][1]:
                self._sent.popleft()
        return self._read_on(replies, key_at)


def test_half_a_mebibyte_is_in_flight_before_the_link_is_known_and_never_more_than_eight(
    endpoint: Endpoint, staging: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = Attempt(endpoint, staging)
    in_flight = InFlight(attempt.connection, monkeypatch)
    assert attempt.write(300_000)[0] == 300_000
    batch_bytes = in_flight.byte_counts[0]
    assert max(in_flight.byte_counts) <= MAX_BYTES
    first_full = next(n for n, size in enumerate(in_flight.byte_counts) if size > FIRST_BYTES - 2 * batch_bytes)
    assert len(in_flight.byte_counts) == 300
    assert first_full < 100
    assert in_flight.byte_counts[: first_full + 1] == sorted(in_flight.byte_counts[: first_full + 1])  # nothing is read


def test_a_batch_larger_than_the_window_is_in_flight_alone(
    endpoint: Endpoint, staging: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = Attempt(endpoint, staging)
    in_flight = InFlight(attempt.connection, monkeypatch)
    large, small = encode_lines([b"x" * (MAX_BYTES + 1)]), encode_lines([b"y"])
    assert attempt.write_batches([small, small, large, small, large]).count == 5
    assert in_flight.byte_counts[1] < 1_000 < MAX_BYTES < in_flight.byte_counts[2]
    assert in_flight.byte_counts[2] == in_flight.byte_counts[4]
    assert in_flight.byte_counts[3] < 1_000


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
    def unlink() -> None:
        wait_until(lambda: client.exists(staging), description="the first batch has come")
        client.unlink(staging)

    attempt = Attempt(endpoint, staging, after_batch=after_batch, then=unlink)
    with pytest.raises(TransientError) as caught:
        attempt.write(20_000)
    assert caught.value.answered
    assert not client.exists(staging)


def test_a_key_that_expired_ends_the_attempt_and_is_not_made_again(
    endpoint: Endpoint, staging: str, client: redis.Redis
) -> None:
    def expire() -> None:
        wait_until(lambda: client.pexpire(staging, 1), description="the first batch has come")
        wait_until(lambda: not client.exists(staging), description="the key has expired")

    with pytest.raises(TransientError):
        Attempt(endpoint, staging, after_batch=3, then=expire).write(20_000)
    assert not client.exists(staging)


def test_a_value_of_somebody_elses_ends_the_attempt(endpoint: Endpoint, staging: str, client: redis.Redis) -> None:
    with pytest.raises(TransientError):
        Attempt(endpoint, staging, after_batch=3, then=lambda: client.lpush(staging, "x")).write(20_000)


def test_a_key_that_somebody_holds_already_ends_the_attempt(
    endpoint: Endpoint, staging: str, client: redis.Redis
) -> None:
    client.lpush(staging, "x")
    with pytest.raises(TransientError):
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
    endpoint = open_endpoint(EndpointSettings(url=parse_url(link.url)))
    link.cut_after("to_server", byte_count)
    with pytest.raises(TransientError) as caught:
        Attempt(endpoint, staging).write(20_000)
    assert not caught.value.answered
    assert client.llen(staging) % 1_000 == 0
    assert not client.exists(staging) or client.ttl(staging) > 0
    endpoint.close()


def test_a_full_server_is_said_to_be_full(new_server: NewServer, server_kind: Kind, staging: str) -> None:
    full = new_server(server_kind, "--maxmemory", "8mb", "--maxmemory-policy", "noeviction")
    endpoint = open_endpoint(EndpointSettings(url=parse_url(full.url)))
    with pytest.raises(NotFinishedError) as caught:
        Attempt(endpoint, staging).write(5_000_000)
    assert "memory" in caught.value.expected
    with connect(full) as client:
        assert client.ttl(staging) > 0
    endpoint.close()
