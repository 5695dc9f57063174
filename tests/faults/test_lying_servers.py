"""Both programs against a server that lies in place of each reply in turn: one sentence, a documented code, an end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.stage.inside import run_inside
from tests.stage.lied_to import LIES, READS, WRITES, Victim, require_an_end, short_waits, victim
from tests.stage.lying_link import LyingLink
from tests.stage.programs import Name
from tests.stage.raw import call
from tests.stage.servers import NewServer, connect
from tests.stage.waiting import wait_until

__all__ = ["short_waits", "victim"]

pytestmark = pytest.mark.timeout(300)  # hundreds of runs in each test: half a minute on a busy machine

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
