"""Replies without end, of any kind: they end with one error, and nothing beyond the limit is read."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from types import SimpleNamespace

import pytest
from redis.exceptions import InvalidResponse
from redis.exceptions import TimeoutError as RedisTimeoutError

from demo.servers import Server
from shared.endpoint import bounded_parser
from shared.endpoint.bounded_parser import FEW_BYTES, BoundedParser
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import HandoverError, LongReplyError, WrongEndpointError
from tests.stage.lying_link import LyingLink

_MUCH = 2 * FEW_BYTES
_LONG = {
    "bulk": b"$9999999999\r\n" + b"x" * _MUCH,
    "bulk of what looks like replies": b"$9999999999\r\n" + b":1\r\n" * (_MUCH // 4),
    "bulk that is a little too long": b"$%d\r\n" % (FEW_BYTES + 100_000) + b"x" * _MUCH,
    "simple string": b"+" + b"x" * _MUCH,
    "error": b"-ERR " + b"x" * _MUCH,
    "number": b":" + b"1" * _MUCH,
    "array": b"*9999999\r\n" + b":1\r\n" * (_MUCH // 4),
    "array of arrays": b"*9999999\r\n" + b"*1\r\n:1\r\n" * (_MUCH // 8),
    "array of empty arrays": b"*9999999\r\n" + b"*0\r\n" * (_MUCH // 4),
    "array in arrays": b"*2\r\n*2\r\n*9999999\r\n" + b"$1\r\nx\r\n" * (_MUCH // 7),
    "map": b"%9999999\r\n" + b":1\r\n" * (_MUCH // 4),
    "set": b"~9999999\r\n" + b":1\r\n" * (_MUCH // 4),
    "big number": b"(" + b"1" * _MUCH,
    "double": b"," + b"1" * _MUCH,
}
_NONE_AT_ALL = {
    "push": b">2\r\n+a\r\n+b\r\n" * 100_000,
    "array of all that hiredis counts": b"*4294967295\r\n",
    "array in an array": b"*1\r\n*2147483647\r\n",
    "array behind a text": b"*2\r\n$11\r\n*2147483647\r\n*2147483647\r\n",
    "array behind a text of its length": b"*2\r\n$3\r\n$11\r\n*2147483647\r\n",
    "set of many": b"~2147483647\r\n",
    "push of many": b">2147483647\r\n",
    "arrays fifty deep": b"*1\r\n" * 50 + b":1\r\n",
    "map whose key is a list": b"%1\r\n*0\r\n:1\r\n",
    "bulk below zero": b"$-5\r\n",
    "number beyond 64 bits": b":99999999999999999999\r\n",
    "bulk beyond 64 bits": b"$99999999999999999999\r\n",
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": b"\0" * 1_000,
}
commands = pytest.mark.parametrize("command", [("PING",), ("TIME",), ("EXISTS", "k"), ("HLEN", "k")], ids="".join)


@pytest.fixture
def link(valkey9: Server) -> Iterator[LyingLink]:
    with LyingLink(valkey9.port) as link:
        yield link


@pytest.fixture
def endpoint(link: LyingLink) -> Iterator[Endpoint]:
    with closing(open_endpoint(EndpointSettings(url=parse_url(link.url)))) as endpoint:
        yield endpoint


@commands
@pytest.mark.parametrize("lie", [*_LONG.values()], ids=[*_LONG])
def test_a_client_takes_no_more_than_was_asked_for(
    link: LyingLink, endpoint: Endpoint, command: tuple[str, ...], lie: bytes
) -> None:
    link.lie(lie)
    with pytest.raises(HandoverError) as caught:
        endpoint.at("k").execute_command(*command)
    assert isinstance(caught.value, WrongEndpointError), "not retried, for it would be the same again"
    link.tell_the_truth()
    assert endpoint.at("k").exists("k") == 0, "the next command has a connection of its own"


@commands
@pytest.mark.parametrize("lie", [*_NONE_AT_ALL.values()], ids=[*_NONE_AT_ALL])
def test_what_is_no_reply_is_refused_at_once(
    link: LyingLink, endpoint: Endpoint, command: tuple[str, ...], lie: bytes
) -> None:
    link.lie(lie)
    with pytest.raises(WrongEndpointError):
        endpoint.at("k").execute_command(*command)


@pytest.mark.parametrize("lie", [*_LONG.values(), *_NONE_AT_ALL.values()], ids=[*_LONG, *_NONE_AT_ALL])
def test_a_batch_connection_neither(link: LyingLink, endpoint: Endpoint, lie: bytes) -> None:
    link.lie(lie)
    with closing(endpoint.batch("k")) as connection, pytest.raises(WrongEndpointError):
        connection.call("EXISTS", "k")


def test_a_pipeline_and_a_transaction_neither(link: LyingLink, endpoint: Endpoint) -> None:
    link.lie(_LONG["bulk"])
    for transaction in (False, True):
        pipeline = endpoint.at("k").pipeline(transaction=transaction)
        for _ in range(2):
            pipeline.exists("k")
        with pytest.raises(LongReplyError):
            pipeline.execute()


@pytest.mark.parametrize("size", [1_000_000, 8_000_000, 60_000_000])
def test_what_a_command_may_answer_is_taken(link: LyingLink, endpoint: Endpoint, size: int) -> None:
    link.lie(b"$%d\r\n" % size + b"x" * size + b"\r\n", about="HGET")
    found = endpoint.at("k").hget("k", "field")
    assert found is not None
    assert len(found) == size


class _Trickle:
    """A parser whose connection gives it a few bytes at a time, each some seconds after those before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, seconds: float, read_bytes: int = 32) -> None:
        self._ours, self._theirs = socket.socketpair()
        self.parser = BoundedParser(read_bytes)
        encoder = SimpleNamespace(encoding_errors="strict", decode_responses=False)
        self.parser.on_connect(SimpleNamespace(_sock=self._ours, socket_timeout=1.0, encoder=encoder))
        moments = count()
        monkeypatch.setattr(bounded_parser, "monotonic", lambda: next(moments) * seconds)

    def say(self, data: bytes) -> None:
        self._theirs.sendall(data)

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


@pytest.mark.parametrize(
    "reply",
    [
        kind + b"1" * size + end
        for kind in (b"+", b"-ERR ", b"$9999\r\n", b"*99\r\n$9999\r\n", b"*2\r\n:1\r\n+")
        for size in (900, 1_100, 1_500, 2_000)
        for end in (b"", b"\r")
    ],
)
def test_a_reply_has_a_deadline_not_only_each_recv(monkeypatch: pytest.MonkeyPatch, reply: bytes) -> None:
    with closing(_Trickle(monkeypatch, seconds=1.0)) as trickle:
        trickle.say(reply)
        with pytest.raises(RedisTimeoutError, match="not complete"):
            trickle.parser.read_response()


@pytest.mark.parametrize("size", [10, 1_000, 30_000, 100_000])
def test_a_large_reply_over_a_slow_link_has_its_time(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    with closing(_Trickle(monkeypatch, seconds=0.1, read_bytes=2_500)) as trickle:  # 25 kB/s
        trickle.say(b"$%d\r\n" % size + b"x" * size + b"\r\n")
        assert trickle.parser.read_response() == b"x" * size


@pytest.mark.parametrize("kind", [b"*", b"~", b">", b"|", b"\0"])
@pytest.mark.parametrize("read_bytes", [32, 33, 47, 64, 1_000, 65_536])
@pytest.mark.parametrize("repeated", [1, 5, 200])
def test_a_value_that_looks_like_the_header_of_an_array_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, kind: bytes, read_bytes: int, repeated: int
) -> None:
    looks = [
        kind + digits + end for digits in (b"12345678", b"9" * 20, b"1", b"") for end in (b"", b"\r\n", b"\n", b"x")
    ]
    values = [b"\r\n".join([look, look]) for look in looks] + looks + [b"\n" + look + b"\r" for look in looks]
    values *= repeated
    packed = b"*%d\r\n" % len(values) + b"".join(b"$%d\r\n%b\r\n" % (len(value), value) for value in values)
    with closing(_Trickle(monkeypatch, seconds=0.0, read_bytes=read_bytes)) as trickle:
        for start in range(0, len(packed), 65_536):
            trickle.say(packed[start : start + 65_536])
        assert trickle.parser.read_response() == values


@pytest.mark.parametrize("read_bytes", range(32, 48))
@pytest.mark.parametrize("before", [b"", b"+OK\r\n", b"$5\r\n*1234\r\n", b"*1\r\n", b":1\r\n*2\r\n$1\r\n*\r\n"])
def test_no_header_slips_through_between_two_recvs(
    monkeypatch: pytest.MonkeyPatch, read_bytes: int, before: bytes
) -> None:
    with closing(_Trickle(monkeypatch, seconds=0.0, read_bytes=read_bytes)) as trickle:
        trickle.say(b"+" + b"x" * (read_bytes - 8) + b"\r\n" + before + b"*2147483647\r\n")
        replies = (trickle.parser.read_response() for _ in range(4))
        with pytest.raises(InvalidResponse):
            list(replies)
