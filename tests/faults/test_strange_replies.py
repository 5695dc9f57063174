"""Replies of another shape than their command has: one sentence, and a connection that still says what is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from demo.servers import Server
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodeClient
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import WrongEndpointError
from tests.stage.lying_link import LyingLink

LIES = {
    "number": b":7\r\n",
    "text": b"$3\r\nabc\r\n",
    "numbers": b"*2\r\n:1\r\n:2\r\n",
    "nothing in a list": b"*1\r\n*-1\r\n",
    "nested": b"*1\r\n*2\r\n$3\r\n1-1\r\n*1\r\n:1\r\n",
    "deep": b"*2\r\n*2\r\n*1\r\n:1\r\n$1\r\nx\r\n*0\r\n",
    "map": b"%1\r\n$1\r\na\r\n:1\r\n",
    "map in a list": b"*1\r\n%1\r\n$1\r\na\r\n:1\r\n",
    "double": b",1.5\r\n",
    "truth": b"#t\r\n",
    "error in a list": b"*2\r\n-ERR x\r\n:1\r\n",
}
COMMANDS: dict[str, tuple[Callable[[NodeClient], object], set[str]]] = {
    "HMGET": (lambda client: client.hmget("k", ["a", "b", "c"]), set()),
    "HGET": (lambda client: client.hget("k", "a"), {"text"}),
    "HGETALL": (lambda client: client.hgetall("k"), set()),
    "HLEN": (lambda client: client.hlen("k"), {"number"}),
    "LLEN": (lambda client: client.llen("k"), {"number"}),
    "LRANGE": (lambda client: client.lrange("k", 0, -1), set()),
    "EXISTS": (lambda client: client.exists("k"), {"number"}),
    "TIME": (lambda client: client.time(), set()),
    "SCAN": (lambda client: client.scan(0), set()),
    "INFO": (lambda client: client.info("memory"), {"text"}),
    "CONFIG GET": (lambda client: client.config_get("maxmemory"), set()),
    "XLEN": (lambda client: client.xlen("k"), {"number"}),
    "XADD": (lambda client: client.xadd("{k}s", {"a": "b"}), set()),
    "XRANGE": (lambda client: client.xrange("k"), set()),
    "XREVRANGE": (lambda client: client.xrevrange("k"), set()),
    "XREAD": (lambda client: client.xread({"k": "0"}), set()),
    "XPENDING": (lambda client: client.xpending_range("{k}s", "g", min="-", max="+", count=1), set()),
    "XINFO GROUPS": (lambda client: client.xinfo_groups("{k}s"), set()),
    "XINFO CONSUMERS": (lambda client: client.xinfo_consumers("{k}s", "g"), set()),
    "XREADGROUP": (lambda client: client.xreadgroup("g", "c", {"{k}s": ">"}), set()),
    "XAUTOCLAIM": (lambda client: client.xautoclaim("{k}s", "g", "c", 0), set()),
    "EVAL": (lambda client: client.eval("return 1", 0), {"number"}),
}
CASES = [(name, lie) for name in COMMANDS for lie in LIES if lie not in COMMANDS[name][1]]


@pytest.fixture
def link(own_server: Server) -> Iterator[LyingLink]:
    with LyingLink(own_server.port) as link:
        yield link


@pytest.fixture
def endpoint(link: LyingLink) -> Iterator[Endpoint]:
    with closing(open_endpoint(EndpointSettings(url=parse_url(link.url)))) as endpoint:
        yield endpoint


def test_each_command_alone_in_a_pipeline_and_in_a_transaction(link: LyingLink, endpoint: Endpoint) -> None:
    client = endpoint.at("k")
    client.xgroup_create("{k}s", "g", mkstream=True)
    for name, lie in CASES:
        link.lie(LIES[lie], about=name)
        with pytest.raises(WrongEndpointError):
            pytest.fail(f"{lie} for {name}: {COMMANDS[name][0](client)!r}")
        pipeline = client.pipeline(transaction=False)
        COMMANDS[name][0](pipeline)  # type: ignore[arg-type]
        pipeline.ping()
        strange, fine = pipeline.execute(raise_on_error=False)
        assert isinstance(strange, WrongEndpointError), (name, lie)
        assert fine is True, "what is behind it is read"
        link.lie(b"*1\r\n" + LIES[lie], about="EXEC")
        transaction = client.pipeline()
        COMMANDS[name][0](transaction)  # type: ignore[arg-type]
        with pytest.raises(WrongEndpointError):
            pytest.fail(f"{lie} for {name} in EXEC: {transaction.execute()}")
    link.tell_the_truth()
    assert client.exists("k") == 0
    assert link.told == 3 * len(CASES)


@pytest.mark.parametrize("lie", [*LIES.values(), b"*-1\r\n", b"$-1\r\n", b"*0\r\n", b"*9\r\n" + b":1\r\n" * 9])
def test_exec_itself(link: LyingLink, endpoint: Endpoint, lie: bytes) -> None:
    link.lie(lie, about="EXEC")
    transaction = endpoint.at("k").pipeline()
    for _ in range(3):
        transaction.exists("k")
    with pytest.raises(WrongEndpointError):
        transaction.execute()


@pytest.mark.parametrize("lie", [*LIES.values(), b"*9\r\n" + b":1\r\n" * 9])
def test_exec_of_a_batch_connection(link: LyingLink, endpoint: Endpoint, lie: bytes) -> None:
    link.lie(lie, about="EXEC")
    with closing(endpoint.batch("k")) as connection, pytest.raises(WrongEndpointError):
        connection.transaction(("LLEN", "k"), ("TIME",), ("EXISTS", "k"))
