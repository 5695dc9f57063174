"""A server that answers every time with another well-formed page, and replies of many tiny elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from demo.servers import Server
from shared.endpoint import bounded_parser
from shared.keys import Keyspace
from tests.stage.inside import run_inside
from tests.stage.lying_link import Lie, LyingLink
from tests.stage.programs import Name
from tests.stage.raw import call
from tests.stage.sentences import require_sentence
from tests.stage.servers import NewServer, connect

SCANS: list[tuple[Name, tuple[str, ...]]] = [
    ("server-a", ("user", "list")),
    ("server-a", ("sku", "list")),
    ("server-a", ("purge", "--dry-run")),
    ("server-a", ("purge", "--dry-run", "--shop")),
]
_FEW_PAGES = 20


@pytest.fixture
def server(new_server: NewServer) -> Server:
    server = new_server("valkey9")
    assert run_inside("server-a", "run", "--count", "30", "--url", server.url).exit_code == 0
    with connect(server) as client:
        client.xadd(Keyspace("").dead_letters(), {"origin": "1-1", "reason": "r", "consumer": "c"})
    return server


@pytest.fixture(autouse=True)
def _state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def link(server: Server) -> Iterator[LyingLink]:
    with LyingLink(server.port) as link:
        yield link


def _cursors() -> Callable[[], bytes]:
    numbers = count(1)
    return lambda: b"*2\r\n$9\r\n%09d\r\n*0\r\n" % next(numbers)


def _entries(number: int) -> Callable[[], bytes]:
    numbers = count(1)
    return lambda: (
        b"*%d\r\n" % number
        + b"".join(
            b"*2\r\n$11\r\n%09d-0\r\n*6\r\n$6\r\norigin\r\n$3\r\n1-1\r\n$6\r\nreason\r\n$1\r\nr\r\n$8\r\nconsumer\r\n$1\r\nc\r\n"
            % next(numbers)
            for _ in range(number)
        )
    )


@pytest.mark.parametrize(("name", "arguments"), SCANS, ids=lambda each: " ".join(each) if len(each) < 5 else each)
@pytest.mark.parametrize("page", [_cursors(), b"*2\r\n$1\r\n7\r\n*0\r\n"], ids=["other cursors", "the same cursor"])
def test_a_scan_without_end(
    link: LyingLink, monkeypatch: pytest.MonkeyPatch, name: Name, arguments: tuple[str, ...], page: Lie
) -> None:
    monkeypatch.setattr("shared.endpoint.scanning.MAX_PAGES", _FEW_PAGES)
    link.lie(page, about="SCAN")
    require_sentence(run_inside(name, *arguments, "--url", link.url), 78, "SCAN")
    assert link.told <= 6 * _FEW_PAGES


@pytest.mark.parametrize("page", [_cursors(), b"*2\r\n$1\r\n7\r\n*0\r\n"], ids=["other cursors", "the same cursor"])
def test_a_cart_without_end(server: Server, link: LyingLink, monkeypatch: pytest.MonkeyPatch, page: Lie) -> None:
    monkeypatch.setattr("shared.endpoint.scanning.MAX_PAGES", _FEW_PAGES)
    with connect(server) as client:
        client.hset(Keyspace("").cart("1"), mapping={f"s{number}": 1 for number in range(2_000)})
    link.lie(page, about="HSCAN")
    require_sentence(run_inside("server-a", "cart", "show", "1", "--url", link.url), 78, "HSCAN")
    assert link.told <= _FEW_PAGES + 1


@pytest.mark.parametrize("command", ["list", "retry", "drop"])
@pytest.mark.parametrize("page", [_entries(100), _entries(100)()], ids=["another page", "the same page"])
def test_dead_letters_without_end(link: LyingLink, monkeypatch: pytest.MonkeyPatch, command: str, page: Lie) -> None:
    monkeypatch.setattr("server_b.group.dead_letters._MOST_PAGES", _FEW_PAGES)
    link.lie(page, about="XRANGE")
    require_sentence(run_inside("server-b", "dead", command, "--url", link.url), 78, "go on and end")
    assert link.told <= 2 * _FEW_PAGES


def test_a_resumed_run_whose_stream_has_no_end(
    server: Server, link: LyingLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server_a.run.claims.PORTION_KEYS", 100)
    monkeypatch.setattr("shared.endpoint.stream_pages.MAX_PAGES", _FEW_PAGES)
    with connect(server) as client:
        (key,) = client.scan_iter("run:*")
    link.lie(_entries(100), about="XRANGE")
    resume = ("run", "--resume", key.decode().removeprefix("run:"), "--log-level", "error")
    require_sentence(run_inside("server-a", *resume, "--url", link.url), 78, "go on and end")
    assert link.told <= 2 * _FEW_PAGES


def test_a_follower_whose_stream_goes_back(server: Server, link: LyingLink) -> None:
    call(server, "REPLICAOF", "127.0.0.1", 1)
    entry = b"*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"
    link.lie(b"*1\r\n*2\r\n$7\r\nsignals\r\n*1\r\n" + entry, about="XREAD")
    follow = ("run", "--once", "--wait-s", "5", "--log-level", "error")
    require_sentence(run_inside("server-b", *follow, "--url", link.url), 78, "goes back")


@pytest.mark.parametrize(
    "reply",
    [
        b"*9999999\r\n" + b"*0\r\n" * 40_000,
        b"*9999999\r\n" + b"*1\r\n*0\r\n" * 20_000,
        b"*2\r\n*9999999\r\n" + b"*1\r\n:1\r\n" * 40_000,
        b"*9999999\r\n" + b"$0\r\n\r\n" * 400_000,
        b"*9999999\r\n" + b":300\r\n" * 400_000,
        b"*9999999\r\n" + b"$2\r\nab\r\n" * 400_000,
        b"*9999999\r\n" + b"+ab\r\n" * 400_000,
    ],
    ids=["arrays", "arrays in arrays", "arrays of one", "empty texts", "numbers", "texts", "words"],
)
@pytest.mark.parametrize("command", ["XREVRANGE", "XLEN", "HMGET"])
def test_many_tiny_elements(link: LyingLink, monkeypatch: pytest.MonkeyPatch, reply: bytes, command: str) -> None:
    monkeypatch.setattr(bounded_parser, "MOST_ARRAYS", 10_000)
    monkeypatch.setattr(bounded_parser, "MOST_LINES", 100_000)
    monkeypatch.setattr(bounded_parser, "_LONG_BYTES", 65_536)
    link.lie(reply, about=command)
    require_sentence(run_inside("server-b", "status", "--url", link.url), 78, "a reply of")
