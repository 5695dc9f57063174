"""`server-a run --writers N`: several processes, one run; a writer that dies costs an attempt, and none outlives A."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from server_a.run.writers import tasks_each
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_by_programs import assert_exact, lines_of, resume, run_id_in_log, verify
from tests.stage.hand_over_in_process import list_keys
from tests.stage.held_requests import HeldRequests
from tests.stage.leftovers import is_alive
from tests.stage.programs import StartProgram, run_program
from tests.stage.servers import Kind, NewServer, connect
from tests.stage.waiting import wait_until
from tests.stage.writer_processes import wait_for_writers, writers_of

if TYPE_CHECKING:
    import redis

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="writers are found in /proc")

COUNT = 400_000
RUN = ("run", "--count", str(COUNT), "--segment-values", "40000", "--json")


@pytest.mark.parametrize("writers", ["1", "2", "3"])
def test_several_writers_write_what_one_writes(
    writers: str, server: Server, namespace: str, client: redis.Redis, keys: Keyspace
) -> None:
    a = run_program("server-a", *RUN, "--writers", writers, server=server, namespace=namespace)
    assert a.exit_code == 0, a.stderr
    summary = a.json()
    assert (summary["writers"], summary["attempts"], summary["segments"]) == (int(writers), 10, 10)
    assert list(summary["reply_ms"]) == ["p50", "p95", "p99", "max"]
    assert summary["write_s"] > 0
    assert_exact(client, keys, summary, verify(server, namespace, summary["run_id"]), count=COUNT)


def test_no_more_writers_than_segments_are_started(server: Server, namespace: str) -> None:
    a = run_program("server-a", "run", "--writers", "8", "--json", server=server, namespace=namespace)
    assert (a.exit_code, a.json()["writers"]) == (0, 1), a.stderr


def test_a_single_server_has_one_writer_unless_told_otherwise(server: Server, namespace: str) -> None:
    a = run_program("server-a", *RUN, server=server, namespace=namespace)
    assert (a.exit_code, a.json()["writers"]) == (0, 1), a.stderr


@pytest.mark.parametrize("writers", ["0", "65", "-1", "two", "1.5", ""])
def test_writers_are_a_number_or_auto(writers: str) -> None:
    a = run_program("server-a", "run", "--writers", writers)
    assert (a.exit_code, a.stdout) == (2, "")
    assert "1 to 64" in a.stderr


@pytest.mark.parametrize("nth", [1, 60, 200])
def test_writers_that_are_killed_cost_the_attempts_they_were_at(
    *,
    nth: int,
    server: Server,
    namespace: str,
    link: FaultyLink,
    start_program: StartProgram,
    client: redis.Redis,
    keys: Keyspace,
) -> None:
    killed: list[int] = []

    def kill_all() -> None:  # whoever has just sent what comes has an attempt under way
        killed.extend(writers_of(a))
        for writer in killed:
            os.kill(writer, signal.SIGKILL)

    link.at(b"LPUSHX", kill_all, nth=nth)
    a = start_program("server-a", *RUN, "--writers", "2", server=link.url, namespace=namespace)
    assert a.wait(60) == 0, a.errors()
    summary = lines_of(a)[0]
    assert killed
    assert 10 < summary["attempts"] <= 10 + 2 * tasks_each(COUNT // 10)  # what the two writers hold at most
    assert (summary["segments"], summary["lost_acknowledged"]) == (10, 0)
    assert "writer" in a.errors()
    assert "Traceback" not in a.errors()
    assert_exact(client, keys, summary, verify(server, namespace, summary["run_id"]), count=COUNT)


@pytest.mark.parametrize(("nth", "then"), [(1, "1"), (100, "3"), (300, "auto")])
def test_no_writer_outlives_a_and_any_number_goes_on(
    *,
    nth: int,
    then: str,
    server: Server,
    namespace: str,
    link: FaultyLink,
    start_program: StartProgram,
    client: redis.Redis,
    keys: Keyspace,
) -> None:
    writers: list[int] = []

    def kill_a() -> None:
        writers.extend(writers_of(a))
        a.send(signal.SIGKILL)
        a.wait(60)

    link.at(b"LPUSHX", kill_a, nth=nth)
    a = start_program("server-a", *RUN, "--writers", "2", server=link.url, namespace=namespace)
    assert a.wait(60) == 128 + signal.SIGKILL
    assert writers
    wait_until(lambda: not any(map(is_alive, writers)), description="the writers have ended too")
    summary = resume(server, namespace, run_id_in_log(a), "--writers", then)
    assert_exact(client, keys, summary, verify(server, namespace, summary["run_id"]), count=COUNT)


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("nth", [1, 200])
def test_a_stopped_run_ends_its_writers_without_a_word_of_theirs(
    *,
    signal_number: int,
    nth: int,
    server: Server,
    namespace: str,
    link: FaultyLink,
    start_program: StartProgram,
    client: redis.Redis,
    keys: Keyspace,
) -> None:
    """As a terminal does with Ctrl-C, and systemd with SIGTERM, all of the group get the signal."""
    link.at(b"LPUSHX", lambda: os.killpg(a.pid, signal_number), nth=nth)
    a = start_program("server-a", *RUN, "--writers", "2", server=link.url, namespace=namespace)
    assert a.wait(60) == 75, a.errors()
    require_no_traceback(a.errors())
    assert f"--resume {run_id_in_log(a)}" in a.errors()
    assert "--writers 2" in a.errors()
    assert not any(":staging:" in key for key in list_keys(client, keys))
    summary = resume(server, namespace, run_id_in_log(a), "--writers", "2")
    assert_exact(client, keys, summary, verify(server, namespace, summary["run_id"]), count=COUNT)


def require_no_traceback(text: str) -> None:
    """Check that every line but the last, which is for people, is a log line of A's own."""
    assert "Traceback" not in text
    *logs, sentence = text.splitlines()
    assert all(line.startswith("{") for line in logs), text
    assert sentence.startswith("server-a: ")


def test_ctrl_c_while_the_writers_start_says_nothing_of_theirs(
    server: Server, namespace: str, start_program: StartProgram
) -> None:
    with HeldRequests(server.port, b"LPUSH") as link:  # whoever is quick has not written all meanwhile
        a = start_program("server-a", *RUN, "--writers", "4", server=link.url, namespace=namespace)
        wait_for_writers(a, 4)  # they are importing what they need
        os.killpg(a.pid, signal.SIGINT)
        assert a.wait(60) == 75, a.errors()
    require_no_traceback(a.errors())


def test_a_link_that_is_cut_costs_no_segment_more_than_an_attempt(
    *,
    server: Server,
    namespace: str,
    link: FaultyLink,
    start_program: StartProgram,
    client: redis.Redis,
    keys: Keyspace,
) -> None:
    for nth in (50, 180, 310):
        link.at(b"LPUSHX", link.cut, nth=nth)
    a = start_program("server-a", *RUN, "--writers", "2", server=link.url, namespace=namespace)
    assert a.wait(60) == 0, a.errors()
    summary = lines_of(a)[0]
    assert 1 <= summary["outages"] <= 6  # a writer may notice a cut when the other has recovered from it
    logged = [json.loads(line) for line in a.errors().splitlines()]
    lost = Counter(line["segment"] for line in logged if line["event"] == "attempt lost")
    done = [line for line in logged if line["event"] == "publication found done"]  # nothing but its reply was lost
    assert max(lost.values()) <= 3
    assert 10 < summary["attempts"] == 10 + lost.total() - len(done)
    assert_exact(client, keys, summary, verify(server, namespace, summary["run_id"]), count=COUNT)


def test_a_full_server_ends_it_in_one_sentence(new_server: NewServer, server_kind: Kind) -> None:
    full = new_server(server_kind, "--maxmemory-policy", "noeviction")
    arguments = ("run", "--count", "3000000", "--segment-values", "500000", "--writers", "2")
    with FaultyLink(full.port) as link, connect(full) as client:
        link.at(b"LPUSHX", lambda: client.config_set("maxmemory", "6mb"))  # after A has compared the memory
        a = run_program("server-a", *arguments, server=link.url, timeout_s=90)
    assert (a.exit_code, a.stdout) == (75, "")
    require_no_traceback(a.stderr)
    assert "free memory or raise maxmemory" in a.stderr


@pytest.mark.parametrize("from_standard_input", [False, True])
def test_lines_are_shared_by_the_writers(
    *, from_standard_input: bool, server: Server, namespace: str, client: redis.Redis, keys: Keyspace, tmp_path: Path
) -> None:
    text = b"".join(b"%d\n" % number for number in range(1, 100_001))
    file = tmp_path / "values"
    file.write_bytes(text)
    arguments = ("run", "--segment-values", "15000", "--writers", "3", "--json", "--values")
    if from_standard_input:
        a = run_program("server-a", *arguments, "-", server=server, namespace=namespace, stdin=text)
    else:
        a = run_program("server-a", *arguments, str(file), server=server, namespace=namespace)
    assert a.exit_code == 0, a.stderr
    assert a.json()["writers"] == 3
    assert_exact(client, keys, a.json(), verify(server, namespace, a.json()["run_id"]), count=100_000)
