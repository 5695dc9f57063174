"""The demo's servers: ours and nobody else's, gone when we are."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import redis

import demo.servers
from demo.servers import Server, ServerStartError
from tests.stage.leftovers import is_alive
from tests.stage.servers import Kind, NewServer, binary, connect
from tests.stage.waiting import wait_until

# Starts a server, tells its process id and port, and holds it until its input ends.
_HOLD_A_SERVER = """
import sys
import demo.servers
from demo.binaries import valkey_binary
first, last = map(int, sys.argv[1:])
demo.servers._PORTS = range(first, last)
with demo.servers.Server(valkey_binary()) as server:
    print(server.pid, server.port, flush=True)
    sys.stdin.read()
"""


def _hold_a_server(ports: range) -> subprocess.Popen[str]:
    binary("valkey9")  # which skips the test if there is none
    return subprocess.Popen(
        [sys.executable, "-c", _HOLD_A_SERVER, str(ports.start), str(ports.stop)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _told(holder: subprocess.Popen[str]) -> tuple[int, int]:
    assert holder.stdout is not None
    pid, port = holder.stdout.readline().split()
    return int(pid), int(port)


def _pid_at(port: int) -> int:
    with redis.Redis(host="127.0.0.1", port=port) as client:
        return int(client.info("server")["process_id"])


def test_servers_started_at_once_by_several_processes_each_have_a_port_of_their_own() -> None:
    """Ten ports for eight servers make collisions all but certain; each answers at its own port nevertheless."""
    holders = [_hold_a_server(range(19_900, 19_910)) for _ in range(8)]
    try:
        told = [_told(holder) for holder in holders]
        assert len({port for _, port in told}) == 8
        assert [_pid_at(port) for _, port in told] == [pid for pid, _ in told]
    finally:
        for holder in holders:
            holder.communicate()
    assert not any(is_alive(pid) for pid, _ in told)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent was killed")
def test_a_server_ends_when_its_parent_is_killed() -> None:
    holder = _hold_a_server(range(11_000, 19_000))
    pid, _ = _told(holder)
    assert is_alive(pid)
    holder.kill()
    holder.communicate()
    wait_until(lambda: not is_alive(pid), description="the server has ended")


def test_a_port_that_somebody_takes_in_the_last_moment_is_left_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        ports = iter([taken, taken, demo.servers._free_port()])
        monkeypatch.setattr(demo.servers, "_free_port", lambda: next(ports))
        with Server(binary("valkey9")) as server:
            assert server.port != taken
            assert _pid_at(server.port) == server.pid


def test_a_server_answers_with_our_process_id(own_server: Server) -> None:
    assert own_server.port < 20_000
    assert _pid_at(own_server.port) == own_server.pid


def test_the_directory_goes_with_the_server() -> None:
    server = Server(binary("valkey9"))
    with server:
        assert server.socket_path.exists()
        assert (server.socket_path.stat().st_mode & 0o777) == 0o700
    assert not is_alive(server.pid)
    assert not server.directory.exists()


def test_a_restart_keeps_port_and_saved_data(new_server: NewServer, server_kind: Kind) -> None:
    server = new_server(server_kind, "--appendonly", "yes", "--appendfsync", "always")
    port, pid = server.port, server.pid
    with connect(server) as client:
        client.set("k", "v")
    server.end(signal.SIGKILL)
    assert not server.is_running
    server.start()
    assert (server.port, server.pid != pid) == (port, True)
    with connect(server) as client:
        assert client.get("k") == b"v"


def test_nothing_is_saved_unless_asked(own_server: Server) -> None:
    with connect(own_server) as client:
        client.set("k", "v")
    own_server.end()
    own_server.start()
    with connect(own_server) as client:
        assert client.dbsize() == 0


def test_a_server_that_wants_a_password_is_up_too(new_server: NewServer, server_kind: Kind) -> None:
    assert new_server(server_kind, "--requirepass", "secret").is_running


def test_a_server_that_does_not_come_up_says_why(new_server: NewServer, server_kind: Kind) -> None:
    with pytest.raises(ServerStartError, match=r"ended at once, its log ends:\n(.*\n)*.*nonsense"):
        new_server(server_kind, "--nonsense", "1")


def test_a_missing_program_is_named() -> None:
    server = Server(Path("no/such/redis-server"))
    with pytest.raises(ServerStartError, match=r"no/such/redis-server: No such file or directory"), server:
        pass
    assert not server.directory.exists()


def test_a_deep_temporary_directory_does_not_make_the_socket_path_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with Server(binary("valkey9")) as server:
        assert len(os.fsencode(server.socket_path)) < 104
