"""A server without memory for the values: the run stops where it is, and goes on once there is memory."""

from __future__ import annotations

import re
import signal

import pytest

from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_by_programs import assert_exact, resume, run_id_in_log, verify
from tests.stage.hand_over_in_process import list_keys
from tests.stage.programs import StartProgram, run_program
from tests.stage.servers import Kind, NewServer, connect
from tests.stage.victims import Victim


@pytest.mark.parametrize("segment_values", ["300000", "2000000"])
def test_a_full_server_is_told_and_the_run_goes_on_later(
    segment_values: str, new_server: NewServer, server_kind: Kind, namespace: str
) -> None:
    server = new_server(server_kind, "--maxmemory-policy", "noeviction")
    arguments = ("--count", "2000000", "--segment-values", segment_values)
    with connect(server) as client, FaultyLink(server.port) as link:  # the room goes while the run writes
        link.at(b"LPUSHX", lambda: client.config_set("maxmemory", "8mb"))
        a = run_program("server-a", "run", *arguments, server=link.url, namespace=namespace)
    assert (a.exit_code, a.stdout) == (75, "")
    assert "memory" in a.stderr
    found = re.search(r"go on with: server-a run --resume (\S+) --url \S+ --namespace (\S+)", a.stderr)
    assert found
    assert found[2] == namespace
    with connect(server) as client:
        keys = Keyspace(namespace)
        assert not any(":staging:" in key for key in list_keys(client, keys)), "what was begun is given up"
        client.config_set("maxmemory", 0)
        summary = resume(server, namespace, found[1])
        assert_exact(client, keys, summary, verify(server, namespace, found[1]), count=2_000_000)


def test_a_server_that_was_full_before_the_run_had_begun(new_server: NewServer, server_kind: Kind) -> None:
    server = new_server(server_kind, "--maxmemory", "1", "--maxmemory-policy", "noeviction")
    a = run_program("server-a", "run", server=server)
    assert a.exit_code == 75
    assert "memory" in a.stderr
    assert "--resume" not in a.stderr, "there is nothing to go on with"


def test_three_kills_within_a_segment_leave_room_for_the_resume(
    new_server: NewServer, server_kind: Kind, namespace: str, start_program: StartProgram
) -> None:
    """With room for three segments and a half, what three killed attempts had written would be too much."""
    count, keys = 1_000_000, Keyspace(namespace)
    server = new_server(server_kind, "--maxmemory-policy", "noeviction")
    with connect(server) as client:
        assert run_program("server-a", "run", "--count", str(count), server=server, namespace=namespace).exit_code == 0
        segment_bytes = client.memory_usage(keys.segment(1), samples=0)
        client.flushall()
        client.config_set("maxmemory", int(client.info("memory")["used_memory"] + 3.5 * segment_bytes))
        arguments: tuple[str, ...] = ("run", "--count", str(count))
        run_id = ""
        for _ in range(3):
            victim = Victim()
            with FaultyLink(server.port) as link:
                link.at(b"LPUSHX", victim.kill, nth=980)
                victim.program = start_program("server-a", *arguments, server=link.url, namespace=namespace)
                assert victim.program.wait(60) == 128 + signal.SIGKILL, victim.program.errors()
            run_id = run_id_in_log(victim.program)
            arguments = ("run", "--resume", run_id)
        summary = resume(server, namespace, run_id)
        assert list_keys(client, keys) == {keys.segment(1)}
        assert_exact(client, keys, summary, verify(server, namespace, run_id), count=count)
