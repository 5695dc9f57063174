"""Both programs as users run them: one hands over, the other proves it."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_by_programs import assert_exact, lines_of, verify
from tests.stage.hand_over_in_process import Group
from tests.stage.programs import StartProgram, run_program
from tests.stage.servers import connect
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis


def test_json_of_both_programs_agrees(server: Server, namespace: str, client: redis.Redis, keys: Keyspace) -> None:
    a = run_program("server-a", "run", "--json", server=server, namespace=namespace)
    b = run_program("server-b", "run", "--once", "--json", "--wait-s", "20", server=server, namespace=namespace)
    assert (a.exit_code, b.exit_code) == (0, 0), a.stderr + b.stderr
    assert len(a.stdout.splitlines()) == len(b.stdout.splitlines()) == 1
    assert_exact(client, keys, a.json(), b.json(), count=10_000)
    assert a.json()["attempts"] == a.json()["segments"] == 1
    assert (a.json()["lost_acknowledged"], a.json()["outage_s"]) == (0, 0)
    assert b.json()["carts"][0]["total"] == "289.98"
    assert b.json()["mode"] == "group"


@pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
def test_people_read_what_was_inserted_and_what_arrived(own_server: Server) -> None:
    a = run_program("server-a", "run", server=own_server)
    b = run_program("server-b", "run", "--once", "--print-values", "3", server=own_server)
    assert "Inserted 1 to 10,000 into 'biglist'." in a.stdout
    assert "First 3 values in reverse order:\n['10000', '9999', '9998']\n" in b.stdout
    assert " verified: 10,000 values in 1 segment, complete, in order and once, digest " in b.stdout
    with connect(own_server) as client:
        assert client.llen("biglist") == 10_000
        assert client.hget("user:1", "last_name") == b"Perry"


@pytest.mark.parametrize("server_kind", ["redis7"], indirect=True)
def test_namespaces_lie_side_by_side(own_server: Server) -> None:
    counts = {"": 100, "one": 200}
    digests = {}
    for namespace, count in counts.items():
        arguments = ("--count", str(count), "--segment-values", "90", "--json")
        digests[namespace] = run_program("server-a", "run", *arguments, server=own_server, namespace=namespace).json()
    for namespace, count in counts.items():
        report = verify(own_server, namespace, digests[namespace]["run_id"])
        with connect(own_server) as client:
            assert_exact(client, Keyspace(namespace), digests[namespace], report, count=count)


@pytest.mark.parametrize(("server_kind", "is_stdin"), [("valkey9", True), ("redis7", False)], indirect=["server_kind"])
def test_lines_of_a_file_or_of_standard_input(
    *, is_stdin: bool, server: Server, namespace: str, tmp_path: Path
) -> None:
    content = b"first\r\n\xff\xfe\n\nlast"
    (tmp_path / "values").write_bytes(content)
    name = "-" if is_stdin else str(tmp_path / "values")
    a = run_program(
        "server-a", "run", "--values", name, "--segment-values", "3", "--json",
        server=server, namespace=namespace, stdin=content if is_stdin else None,
    )  # fmt: skip
    assert a.exit_code == 0, a.stderr
    report = verify(server, namespace, a.json()["run_id"])
    assert (report["count"], report["segments"]) == (4, 2)
    assert (report["first"], report["last"]) == (["last", "", "\\xff\\xfe", "first\r"], "first\r")
    read = run_program("server-b", "read", server=server, namespace=namespace)
    assert read.stdout_bytes == b"last\n\n\xff\xfe\nfirst\r\n"


@pytest.mark.parametrize("server_kind", ["redis7"], indirect=True)
def test_once_passes_over_superseded_runs(server: Server, namespace: str) -> None:
    runs = [
        run_program("server-a", "run", "--count", count, "--json", server=server, namespace=namespace).json()
        for count in ("10", "20", "30")
    ]
    b = run_program("server-b", "run", "--once", "--json", server=server, namespace=namespace)
    assert b.exit_code == 0
    assert b.json()["run_id"] == runs[2]["run_id"]
    b = run_program("server-b", "run", "--run", runs[0]["run_id"], "--json", server=server, namespace=namespace)
    assert (b.exit_code, b.json()["verdict"]) == (75, "superseded")


def test_three_consumers_share_a_run_and_all_end_with_it(
    *,
    server: Server,
    namespace: str,
    start_program: StartProgram,
    client: redis.Redis,
    keys: Keyspace,
    group: Group,
) -> None:
    """Nobody reads before each has got a segment, however slow one of them is."""

    def wait_for_all() -> None:
        wait_until(lambda: len(group.pending()) == 3, description="each has got a segment")

    with ExitStack() as stack:
        links = [stack.enter_context(FaultyLink(server.port)) for _ in range(3)]
        options = ("run", "--once", "--json", "--wait-s", "30")
        consumers = [start_program("server-b", *options, server=link.url, namespace=namespace) for link in links]
        for consumer, link in zip(consumers, links, strict=True):
            wait_until(lambda c=consumer: "waiting for signals" in c.errors(), description="it waits")  # type: ignore[misc]
            link.at(b"LRANGE", wait_for_all)
        arguments = ("run", "--count", "300000", "--segment-values", "3000", "--json")
        a = run_program("server-a", *arguments, server=server, namespace=namespace)
        assert [consumer.wait(60) for consumer in consumers] == [0, 0, 0]
    reports = [lines_of(consumer) for consumer in consumers]
    assert [len(lines) for lines in reports] == [1, 1, 1]
    for lines in reports:
        assert_exact(client, keys, a.json(), lines[0], count=300_000)
    verdicts = client.hvals(keys.result(a.json()["run_id"]))
    assert len({json.loads(verdict)["consumer"] for verdict in verdicts}) == 3
    assert client.xinfo_consumers(keys.signals(), "server-b") == []


def test_a_serving_consumer_reports_each_run_once(
    server: Server, namespace: str, start_program: StartProgram, tmp_path: Path
) -> None:
    heartbeat = tmp_path / "heartbeat"
    arguments = ("--json", "--heartbeat-file", str(heartbeat))
    consumer = start_program("server-b", "run", *arguments, server=server, namespace=namespace)
    runs = []
    for segment_values in ("10", "1000", "100"):
        cut = ("--count", "1000", "--segment-values", segment_values, "--json")
        a = run_program("server-a", "run", *cut, "--await-verdict-s", "50", server=server, namespace=namespace)
        assert a.exit_code == 0, a.stderr
        runs.append(a.json()["run_id"])
    wait_until(lambda: len(lines_of(consumer)) == 3, description="it has reported three runs")
    consumer.send(signal.SIGTERM)
    assert consumer.wait(60) == 0
    assert [line["run_id"] for line in lines_of(consumer)] == runs
    assert {line["verdict"] for line in lines_of(consumer)} == {"verified"}
    assert heartbeat.exists()


@pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
def test_a_verdict_is_awaited(server: Server, namespace: str, start_program: StartProgram) -> None:
    a = run_program("server-a", "run", "--await-verdict-s", "0.2", server=server, namespace=namespace)
    assert a.exit_code == 75
    assert "server-b" in a.stderr
    start_program("server-b", "run", server=server, namespace=namespace)
    a = run_program("server-a", "run", "--await-verdict-s", "50", server=server, namespace=namespace)
    assert (a.exit_code, "server-b's verdict: verified." in a.stdout) == (0, True)


@pytest.mark.parametrize("server_kind", ["redis7"], indirect=True)
def test_a_failed_verdict_is_told_to_both(
    server: Server, namespace: str, start_program: StartProgram, client: redis.Redis, keys: Keyspace
) -> None:
    a = start_program("server-a", "run", "--await-verdict-s", "60", server=server, namespace=namespace)
    wait_until(lambda: "Signalled" in a.output(), description="it has signalled")
    client.lset(keys.segment(1), 5_000, "x")
    b = run_program("server-b", "run", "--once", "--json", server=server, namespace=namespace)
    assert (b.exit_code, b.json()["verdict"]) == (65, "failed")
    assert b.json()["reason"].startswith("segment 1: changed")
    assert a.wait(60) == 65
    assert "Traceback" not in a.errors() + b.stderr


@pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
def test_nothing_that_came_in_time_ends_with_75(server: Server, namespace: str, client: redis.Redis) -> None:
    b = run_program("server-b", "run", "--once", "--wait-s", "0.3", server=server, namespace=namespace)
    assert (b.exit_code, b.stdout) == (75, "")
    assert client.xinfo_consumers(f"{namespace}:signals", "server-b") == []
