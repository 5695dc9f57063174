"""A password given in any of its ways is in no process list, no log at any level and no error, come what may."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import redis

from demo.processes import Program
from demo.servers import Server
from tests.stage.demo_stage import Stage
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_by_programs import lines_of, run_id_in_log
from tests.stage.leftovers import processes_of
from tests.stage.programs import Finished, Name, StartProgram, run_program
from tests.stage.raw import call
from tests.stage.sentences import SECRET, require_no_secret
from tests.stage.servers import NewServer, binary
from tests.stage.victims import Victim
from tests.stage.waiting import wait_until

USER = "keeper"
COUNT = 200_000

linux = pytest.mark.skipif(sys.platform != "linux", reason="command lines are read from /proc")


@pytest.fixture
def guarded(new_server: NewServer) -> Server:
    """A server that wants the password; it is in no argument of the server's either."""
    server = new_server("redis7")
    call(server, "ACL", "SETUSER", USER, "on", f">{SECRET}", "~*", "&*", "+@all")
    call(server, "CONFIG", "SET", "requirepass", SECRET)
    return server


@pytest.fixture
def guarded_link(guarded: Server) -> Iterator[FaultyLink]:
    """A link to it."""
    with FaultyLink(guarded.port) as opened:
        yield opened


class Login:
    """One of the ways to give a password: in the URL that a variable holds, in a variable of its own, in a file."""

    def __init__(self, way: str, port: int, directory: Path) -> None:
        """Prepare it."""
        self._way = way
        password = f":{SECRET}" if way == "url" else ""
        self.url = f"redis://{USER}{password}@127.0.0.1:{port}/0"
        file = directory / "password"
        file.write_text(f"{SECRET}\n")
        self.options = ("--log-level", "debug", *(("--password-file", str(file)) if way == "file" else ()))

    def env(self, program: Name) -> dict[str, str]:
        """Return a program's variables besides the URL's."""
        return {f"{program.replace('-', '_').upper()}_PASSWORD": SECRET} if self._way == "variable" else {}


def _command_line(program: Program) -> list[str]:
    return (Path("/proc") / str(program.pid) / "cmdline").read_bytes().decode().rstrip("\0").split("\0")


def _require_nothing_said(*programs: Program) -> None:
    for program in programs:
        require_no_secret(Finished(0, program.output().encode(), program.errors().encode()))


@pytest.mark.redis_server
@linux
@pytest.mark.parametrize("way", ["url", "variable", "file"])
def test_a_hand_over_with_every_trouble_shows_no_password(
    way: str, guarded_link: FaultyLink, start_program: StartProgram, tmp_path: Path
) -> None:
    """B serves over lost connections; A loses a reply, is stopped, says how to go on, and does."""
    link, login, victim = guarded_link, Login(way, guarded_link.port, tmp_path), Victim()
    command_lines: list[list[str]] = []

    def start(name: Name, *arguments: str) -> Program:
        env = login.env(name)
        return start_program(name, "run", "--json", *arguments, *login.options, server=login.url, env=env)

    def look_and_stop() -> None:
        producer = victim.there()
        command_lines.extend(_command_line(program) for program in (producer, consumer))
        producer.send(signal.SIGTERM)

    consumer = start("server-b")
    wait_until(lambda: "waiting for signals" in consumer.errors(), description="B waits")
    link.lose_reply(b"LPUSHX", nth=5)
    link.at(b"LPUSHX", look_and_stop, nth=150)
    victim.program = stopped = start("server-a", "--count", str(COUNT))
    assert stopped.wait(60) == 75, stopped.errors()
    assert "go on with: server-a run --resume" in stopped.errors()
    assert ("--json" in command_lines[0], "--json" in command_lines[1]) == (True, True)
    assert not [part for line in command_lines for part in line if SECRET in part]

    link.lose_reply(b"LRANGE", nth=20)
    resumed = start("server-a", "--resume", run_id_in_log(stopped))
    assert resumed.wait(60) == 0, resumed.errors()
    wait_until(lambda: lines_of(consumer), description="B has reported the run")
    assert lines_of(consumer)[0]["verdict"] == "verified"
    assert "endpoint lost" in consumer.errors()
    consumer.send(signal.SIGTERM)
    assert consumer.wait(60) == 0
    _require_nothing_said(stopped, resumed, consumer)
    assert f"redis://127.0.0.1:{link.port}/0" in resumed.output(), "the endpoint is named, without its login"


@pytest.mark.redis_server
@pytest.mark.parametrize("way", ["url", "variable", "file"])
@pytest.mark.parametrize("name", ["server-a", "server-b"])
def test_an_endpoint_that_changes_its_password_is_named_without_it(
    *,
    way: str,
    name: Name,
    guarded: Server,
    guarded_link: FaultyLink,
    start_program: StartProgram,
    tmp_path: Path,
) -> None:
    login = Login(way, guarded_link.port, tmp_path)

    def change() -> None:
        """Carried out by the link, which then cuts every connection: the next login is refused."""
        socket = str(guarded.socket_path)
        with redis.Redis(unix_socket_path=socket, username=USER, password=SECRET) as client:
            client.acl_setuser(USER, enabled=True, reset_passwords=True, passwords=["+another"])
        guarded_link.cut()

    moment = b"LPUSHX" if name == "server-a" else b"XREADGROUP"
    guarded_link.at(moment, change, nth=2)
    program = start_program(name, "run", *login.options, server=login.url, env=login.env(name))
    assert program.wait(60) == 77, program.errors()
    assert "expected a user and password it accepts" in program.errors()
    _require_nothing_said(program)


def test_a_password_typed_as_the_name_of_a_file_that_nobody_opens_is_stored_and_said_nowhere(
    server: Server, namespace: str, client: redis.Redis
) -> None:
    """The URL names no Sentinels, so nothing finds out that there is no such file."""
    options = ("--count", "10", "--sentinel-password-file", SECRET)
    written = run_program("server-a", "run", *options, server=server, namespace=namespace)
    assert written.exit_code == 0
    (record,) = client.keys(f"{namespace}:run:*")
    command = cast("bytes", client.hget(record, "command"))
    assert command.startswith(b"server-a run --count 10 --url")
    assert SECRET.encode() not in command
    for ended in (written, run_program("server-b", "report", "--json", server=server, namespace=namespace)):
        require_no_secret(ended)


@linux
def test_the_demo_gives_its_programs_no_url_on_their_command_lines(session_directory: Path) -> None:
    """A URL may hold a password, and any user of the host may read a command line."""
    binary("valkey9")
    stage = Stage(Path(tempfile.mkdtemp(dir=session_directory)))
    seen: set[str] = set()
    demo = stage.start(sys.executable, "-m", "demo")
    try:

        def has_ended() -> bool:
            seen.update(processes_of(stage.directory).values())
            return demo.poll() is not None

        wait_until(has_ended, description="the demo has ended")
    finally:
        demo.terminate()
        assert demo.wait(60) == 0, stage.stderr
    assert any("-m server_b run" in command for command in seen)
    assert any("-m server_a" in command for command in seen)
    assert not [command for command in seen if "://" in command]
