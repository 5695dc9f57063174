"""Links that fail many times, and servers that start anew, with everything or with nothing: the end is exact."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_by_programs import assert_exact, lines_of, verify
from tests.stage.programs import StartProgram, run_program
from tests.stage.servers import Kind, NewServer, connect
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis

COUNT = 1_000_000


@pytest.mark.parametrize("segment_values", ["1000000", "150000"])
def test_both_programs_over_links_that_are_cut_many_times(
    *,
    segment_values: str,
    server: Server,
    namespace: str,
    start_program: StartProgram,
    client: redis.Redis,
    keys: Keyspace,
) -> None:
    with FaultyLink(server.port) as link_a, FaultyLink(server.port) as link_b:
        link_a.at(b"LPUSHX", lambda: link_a.cut_after("to_server", 600_000, times=10), nth=20)
        link_b.at(b"LRANGE", lambda: link_b.cut_after("to_client", 600_000, times=10), nth=20)
        b = start_program("server-b", "run", "--once", "--json", server=link_b.url, namespace=namespace)
        wait_until(lambda: "waiting for signals" in b.errors(), description="B waits for signals")
        a = run_program(
            "server-a", "run", "--count", str(COUNT), "--segment-values", segment_values, "--json",
            server=link_a.url, namespace=namespace,
        )  # fmt: skip
        assert a.exit_code == 0, a.stderr
        assert b.wait(60) == 0, b.errors()
        assert (link_a.cuts, link_b.cuts) == (10, 10)
    assert_exact(client, keys, a.json(), lines_of(b)[0], count=COUNT)
    assert a.json()["attempts"] > a.json()["segments"]
    assert a.json()["outage_s"] > 0
    assert a.json()["lost_acknowledged"] == 0


def test_a_link_that_stays_down_ends_the_run_with_how_to_go_on(
    server: Server, namespace: str, client: redis.Redis, keys: Keyspace
) -> None:
    def go_down() -> None:
        link.refuse()
        link.cut()

    with FaultyLink(server.port) as link:
        link.at(b"LPUSHX", go_down, nth=250)
        arguments = ("--count", str(COUNT), "--segment-values", "200000", "--patience-s", "0.5")
        a = run_program("server-a", "run", *arguments, server=link.url, namespace=namespace)
        link.accept()
    assert a.exit_code == 69, a.stderr
    run_id = next(json.loads(line)["run_id"] for line in a.stderr.splitlines() if "run started" in line)
    assert f"server-a run --resume {run_id} --url {link.url} --namespace {namespace}" in a.stderr
    a = run_program("server-a", "run", "--resume", run_id, "--json", server=server, namespace=namespace)
    assert a.exit_code == 0, a.stderr
    assert a.json()["attempts"] in (4, 5)  # the first segment was published, or the link went down before
    assert_exact(client, keys, a.json(), verify(server, namespace, run_id), count=COUNT)


@pytest.mark.parametrize("is_kept", [True, False])
@pytest.mark.parametrize(
    ("server_kind", "is_in_mid_run"), [("valkey9", True), ("redis7", False)], indirect=["server_kind"]
)
def test_a_server_that_starts_anew_with_all_or_with_nothing(
    *, is_kept: bool, is_in_mid_run: bool, new_server: NewServer, server_kind: Kind, start_program: StartProgram
) -> None:
    """With nothing is what a failover to an empty replica looks like: only the audit can notice.

    The server dies while values are written, some segments having been signalled, or else when the audit begins.
    """
    options = ("--appendonly", "yes", "--appendfsync", "always") if is_kept else ()
    server = new_server(server_kind, *options)
    segments = 20  # more than A writes before it has signalled one, however slowly it does that

    def die() -> None:
        server.end(signal.SIGKILL)

    with FaultyLink(server.port) as link:
        if is_in_mid_run:
            link.at(b"XADD", lambda: link.at(b"LPUSHX", die), nth=2)
        else:
            link.at(b"XRANGE", die)
        b = start_program("server-b", "run", "--once", "--json", server=server)
        wait_until(lambda: "waiting for signals" in b.errors(), description="B waits for signals")
        sizes = ("--count", str(segments * 20_000), "--segment-values", "20000")
        a = start_program("server-a", "run", *sizes, "--json", server=link.url)
        wait_until(lambda: not server.is_running, description="the server has died")
        server.start()
        assert a.wait(60) == 0, a.errors()
        assert b.wait(60) == 0, b.errors()
    summary = lines_of(a)[0]
    published = range(1, segments) if is_in_mid_run else [segments]
    assert summary["lost_acknowledged"] in ([0] if is_kept else [number * 20_000 for number in published])
    with connect(server) as client:
        assert_exact(client, Keyspace(), summary, lines_of(b)[0], count=segments * 20_000)
        assert client.hget("user:1", "first_name") == b"Parker"
        assert client.exists(f"run:{summary['run_id']}")


@pytest.mark.parametrize("server_kind", ["valkey9", "redis7"], indirect=True)
def test_a_server_that_comes_back_with_an_older_snapshot(
    new_server: NewServer, server_kind: Kind, start_program: StartProgram
) -> None:
    """It has the first segments and lacks the ones behind, acknowledged all of them; some have been verified."""
    server, segments = new_server(server_kind), 30
    snapshots: list[int] = []

    def save() -> None:
        with connect(server) as client:
            client.save()
            snapshots.append(client.xlen(Keyspace().signals()))
        # more batches than A writes ahead of what is published, so that some is published after the snapshot
        link.at(b"LPUSHX", lambda: server.end(signal.SIGKILL), nth=200)

    with FaultyLink(server.port) as link:
        link.at(b"XADD", save)
        b = start_program("server-b", "run", "--once", "--json", server=server)
        wait_until(lambda: "waiting for signals" in b.errors(), description="B waits for signals")
        sizes = ("--count", str(segments * 20_000), "--segment-values", "20000")
        a = start_program("server-a", "run", *sizes, "--json", server=link.url)
        wait_until(lambda: not server.is_running, description="the server has died")
        server.start()
        assert a.wait(60) == 0, a.errors()
        assert b.wait(60) == 0, b.errors()
    assert snapshots == [0]
    summary = lines_of(a)[0]
    assert summary["lost_acknowledged"] in range(20_000, segments * 20_000, 20_000)
    with connect(server) as client:
        assert_exact(client, Keyspace(), summary, lines_of(b)[0], count=segments * 20_000)
