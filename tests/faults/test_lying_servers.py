"""Both programs against a server that lies in place of each reply in turn: one sentence, a documented code, an end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.stage.inside import run_inside
from tests.stage.lied_to import READS, WRITES, Victim, require_an_end, short_waits, victim
from tests.stage.lying_link import LyingLink
from tests.stage.programs import Name
from tests.stage.raw import call
from tests.stage.servers import NewServer, connect
from tests.stage.waiting import wait_until

__all__ = ["short_waits", "victim"]

pytestmark = pytest.mark.timeout(300)  # hundreds of runs in each test: half a minute on a busy machine

LIES = {
    "number": b":7\r\n",
    "number below zero": b":-1\r\n",
    "largest number": b":9223372036854775807\r\n",
    "word": b"$3\r\nabc\r\n",
    "status": b"+OK\r\n",
    "nothing": b"$-1\r\n",
    "no list": b"*-1\r\n",
    "empty list": b"*0\r\n",
    "numbers": b"*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n",
    "page with half a pair": b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n",
    "texts": b"*2\r\n$1\r\na\r\n$1\r\nb\r\n",
    "nested": b"*2\r\n*2\r\n*1\r\n:1\r\n$1\r\nx\r\n*0\r\n",
    "entry": b"*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n",
    "map": b"%1\r\n$1\r\na\r\n:1\r\n",
    "set": b"~1\r\n:1\r\n",
    "push": b">2\r\n+a\r\n+b\r\n",
    "double": b",1.5\r\n",
    "truth": b"#t\r\n",
    "digits": b"$5000\r\n" + b"9" * 5000 + b"\r\n",
    "no number": b":1x\r\n",
    "error": b"-ERR strange \x1b]0;x\x07\r\n",
    "error in a list": b"*2\r\n-ERR x\r\n:1\r\n",
    "another type": b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    "another node": b"-MOVED 1 127.0.0.1:1\r\n",
    "no protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}
NAMES: tuple[Name, ...] = ("server-a", "server-b")
_PAIRS = {"XINFO", "CONFIG", "CLUSTER", "XGROUP", "ACL", "SENTINEL"}


def test_commands_that_only_read(victim: Victim) -> None:
    commands: list[tuple[Name, tuple[str, ...]]] = [
        ("server-a", ("status",)),
        ("server-b", ("status", "--json")),
        ("server-b", ("read",)),
        ("server-b", ("explain", victim.run_id)),
        ("server-b", ("dead", "list")),
        ("server-a", ("purge", "--dry-run", "--shop")),
        ("server-a", ("cart", "show", "1")),
        ("server-a", ("sku", "list")),
    ]
    for name, arguments in commands:
        _lie_about_each(victim, name, arguments)


def test_checks(victim: Victim) -> None:
    for name in NAMES:
        _lie_about_each(victim, name, ("check",), every=6)


def test_a_run(victim: Victim) -> None:
    _lie_about_each(victim, "server-a", WRITES)


def test_a_resumed_run(victim: Victim) -> None:
    _lie_about_each(victim, "server-a", ("run", "--resume", victim.run_id, "--patience-s", "0"))


def test_a_consumer(victim: Victim) -> None:
    _lie_about_each(victim, "server-b", READS, prepare=victim.signal_again, every=1)


def test_a_follower(victim: Victim) -> None:
    call(victim.server, "REPLICAOF", "127.0.0.1", 1)
    _lie_about_each(victim, "server-b", (*READS, "--run", victim.run_id), every=1)


def test_sentinels(victim: Victim, new_server: NewServer) -> None:
    sentinel = new_server("valkey9", "--sentinel")
    call(sentinel, "SENTINEL", "MONITOR", "shop", "127.0.0.1", victim.server.port, 1)
    with LyingLink(sentinel.port) as link:
        victim.link = link
        for name in NAMES:
            _lie_about_each(victim, name, ("status",), every=1, url=f"redis+sentinel://127.0.0.1:{link.port}/shop")


def test_a_cluster(new_server: NewServer) -> None:
    server = new_server("valkey9", "--cluster-enabled", "yes")
    call(server, "CLUSTER", "ADDSLOTSRANGE", 0, 16_383)
    with LyingLink(server.port) as link, connect(server) as client:
        victim = Victim(server, link, client)
        wait_until(lambda: b"cluster_state:ok" in call(server, "CLUSTER", "INFO"), description="the cluster is whole")
        victim.hand_over()
        for name in NAMES:
            _lie_about_each(victim, name, ("status",), every=1)


def _lie_about_each(
    victim: Victim,
    name: Name,
    arguments: tuple[str, ...],
    *,
    prepare: Callable[[], None] | None = None,
    every: int = 2,
    url: str = "",
) -> None:
    """Run it once in truth to see which commands it sends, then with lies in place of each reply: every other one."""
    link = victim.link
    link.tell_the_truth()
    link.asked.clear()
    prepare = prepare or victim.nothing
    prepare()
    truth = run_inside(name, *arguments, "--url", url or link.url)
    assert truth.exit_code in (0, 65, 75), truth.stderr
    commands = {" ".join(asked.split(" ")[: 1 + (asked.split(" ")[0] in _PAIRS)]) for asked in link.asked}
    for place, command in enumerate(sorted(commands)):
        for lie in list(LIES)[place % every :: every]:
            prepare()
            link.lie(LIES[lie], about=command)
            ended = run_inside(name, *arguments, "--url", url or link.url)
            link.tell_the_truth()
            require_an_end(ended, name, f"{' '.join((name, *arguments))}: {lie} for {command}")
    assert link.told >= len(LIES)
