"""Each exit code, produced by the situation that it stands for."""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

import server_a.cli
import server_b.cli
from demo.processes import program_environment
from demo.servers import Server
from tests.stage.check_runs import user_url
from tests.stage.command_tree import GROUPS
from tests.stage.programs import Finished, Name, run_program
from tests.stage.servers import Kind, NewServer, connect
from tests.stage.waiting import wait_until

NOBODY = "redis://127.0.0.1:1/0"
LIMIT_S = 45.0  # less than the minute for which lost servers are tried again
LEAST: dict[Name, tuple[str, ...]] = {"server-a": ("run", "--count", "10"), "server-b": ("run", "--once")}


def assert_is_one_sentence(ended: Finished, program: Name) -> None:
    """Check that a program ended with one sentence of its own, behind the lines of its log, and no traceback."""
    last = ended.stderr.splitlines()[-1]
    assert last.startswith(f"{program}: ")
    assert "Traceback" not in ended.stderr
    assert sum(not line.startswith("{") for line in ended.stderr.splitlines()) == 1


def run_here(program: Name, *arguments: str, capfd: pytest.CaptureFixture[str]) -> Finished:
    """Run a program inside this process, which is quick, for what ends before there is a server."""
    with pytest.MonkeyPatch.context() as patch, Path(os.devnull).open("rb") as nothing:
        for name in set(os.environ) - set(program_environment(os.environ)):
            patch.delenv(name)
        # Where nobody answers: what gets past a check that has gone must not write to the server of whoever runs us.
        patch.setenv("REDIS_URL", NOBODY)
        patch.setattr("sys.argv", [program, *arguments])
        patch.setattr("sys.stdin", io.TextIOWrapper(nothing))
        with pytest.raises(SystemExit) as caught:
            {"server-a": server_a.cli.main, "server-b": server_b.cli.main}[program]()
    said = capfd.readouterr()
    assert isinstance(caught.value.code, int)
    return Finished(caught.value.code, said.out.encode(), said.err.encode())


def test_0_done(valkey9: Server, namespace: str) -> None:
    for program, arguments in LEAST.items():
        ended = run_program(program, *arguments, server=valkey9, namespace=namespace)
        assert ended.exit_code == 0, ended
        assert ended.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("run", "--nonsense"),
        ("run", "nonsense"),
        ("run", "--url", "http://localhost"),
        ("run", "--url", "redis://localhost/x"),
        ("run", "--url", "redis://localhost?nope=1"),
        ("run", "--url", ""),
        ("run", "--namespace", "a:b"),
        ("run", "--namespace", "canary"),
        ("run", "--log-level", "loud"),
        ("run", "--password-file", "no/such/file"),
        ("run", "--auth", "magic"),
        ("run", "--url", "rediss://localhost", "--tls-ca", "no/such/file"),
        ("run", "--url", "rediss://localhost", "--tls-key", "no/such/file"),
    ],
)
@pytest.mark.parametrize("program", GROUPS)
def test_2_usage_of_both(program: Name, arguments: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    ended = run_here(program, *arguments, capfd=capfd)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert_is_one_sentence(ended, program)


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("server-a", ("run", "--count", "0")),
        ("server-a", ("run", "--count", "100000000001")),
        ("server-a", ("run", "--count", "1e-3")),
        ("server-a", ("run", "--count", "-1")),
        ("server-a", ("run", "--count", "\u0663")),
        ("server-a", ("run", "--count", "1", "--values", "-")),
        ("server-a", ("run", "--values", "no/such/file")),
        ("server-a", ("run", "--values", "-")),
        ("server-a", ("run", "--segment-values", "0")),
        ("server-a", ("run", "--retain-days", "0")),
        ("server-a", ("run", "--patience-s", "NaN")),
        ("server-a", ("run", "--patience-s", "-1")),
        ("server-a", ("user", "show")),
        ("server-a", ("user", "add", "1")),
        ("server-a", ("cart", "add", "1", "sku123", "--quantity", "0")),
        ("server-a", ("run", "--resume", "nonsense")),
        ("server-b", ("run", "--run", "nonsense")),
        ("server-b", ("run", "--wait-s", "1e9")),
        ("server-b", ("run", "--claim-idle-ms", "0")),
        ("server-b", ("run", "--max-deliveries", "0")),
        ("server-b", ("run", "--print-values", "9223372036854775808")),
        ("server-b", ("run", "--consumer", "")),
        ("server-b", ("run", "--consumer", "a\nb")),
        ("server-b", ("read", "--limit", "x")),
    ],
)
def test_2_usage(program: Name, arguments: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    ended = run_here(program, *arguments, capfd=capfd)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert_is_one_sentence(ended, program)


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("server-a", ("run", "--resume", "20261122T205801123Z-3f9a1c")),
        ("server-a", ("run", "--count", "200001", "--segment-values", "2")),
        ("server-a", ("purge",)),
        ("server-b", ("dead", "drop", "1-1")),
        ("server-b", ("run", "--heartbeat-file", "no/such/directory/file")),
    ],
)
def test_2_usage_that_the_server_knows(
    valkey9: Server, namespace: str, program: Name, arguments: tuple[str, ...]
) -> None:
    ended = run_program(program, *arguments, server=valkey9, namespace=namespace)
    assert (ended.exit_code, ended.stdout) == (2, ""), ended
    assert_is_one_sentence(ended, program)


@pytest.mark.redis_server
def test_65_a_list_that_was_changed(redis7: Server, namespace: str) -> None:
    run = run_program("server-a", "run", "--json", "--count", "5000", server=redis7, namespace=namespace).json()
    with connect(redis7) as client:
        client.lset(f"{namespace}:biglist", 0, "x")
    ended = run_program("server-b", "run", "--once", "--wait-s", "30", server=redis7, namespace=namespace)
    assert ended.exit_code == 65
    assert_is_one_sentence(ended, "server-b")
    assert "changed" in ended.stderr
    # the producer hears of it too
    arguments = ("run", "--resume", run["run_id"], "--await-verdict-s", "30")
    ended = run_program("server-a", *arguments, server=redis7, namespace=namespace)
    assert ended.exit_code == 65, ended
    assert_is_one_sentence(ended, "server-a")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody answers at, and nobody else can take meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize("command", [("run",), ("user", "list"), ("read",)])
def test_69_nobody_answers(closed_port: int, command: tuple[str, ...]) -> None:
    program: Name = "server-b" if command[0] in ("read", "dead") else "server-a"
    started = time.monotonic()
    ended = run_program(program, *command, server=f"redis://u:s3cr7t9@127.0.0.1:{closed_port}/0")
    assert (ended.exit_code, ended.stdout) == (69, "")
    assert_is_one_sentence(ended, program)
    assert f"127.0.0.1:{closed_port}" in ended.stderr
    assert "s3cr7t9" not in ended.stderr
    assert time.monotonic() - started < LIMIT_S


def test_69_no_such_socket(tmp_path: Path) -> None:
    ended = run_program("server-b", "run", "--once", server=f"unix://{tmp_path}/none.sock")
    assert ended.exit_code == 69
    assert_is_one_sentence(ended, "server-b")


def test_75_nothing_came_in_time(valkey9: Server, namespace: str) -> None:
    started = time.monotonic()
    ended = run_program("server-b", "run", "--once", "--wait-s", "0.3", server=valkey9, namespace=namespace)
    assert (ended.exit_code, ended.stdout) == (75, "")
    assert_is_one_sentence(ended, "server-b")
    assert 0.3 <= time.monotonic() - started < LIMIT_S


def test_75_no_verdict_came_in_time(valkey9: Server, namespace: str) -> None:
    arguments = ("run", "--count", "10", "--await-verdict-s", "0.2")
    ended = run_program("server-a", *arguments, server=valkey9, namespace=namespace)
    assert ended.exit_code == 75
    assert "Inserted 1 to 10" in ended.stdout
    assert_is_one_sentence(ended, "server-a")


def test_75_memory_is_full(new_server: NewServer) -> None:
    full = new_server("valkey9", "--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
    ended = run_program("server-a", "run", "--count", "5000000", server=full)
    assert (ended.exit_code, ended.stdout) == (75, "")
    assert_is_one_sentence(ended, "server-a")
    assert "--resume" not in ended.stderr, "nothing was begun"
    ended = run_program("server-a", "run", "--count", "5000000", server=user_url(full, "-info"))  # finds out by writing
    assert (ended.exit_code, ended.stdout) == (75, "")
    assert_is_one_sentence(ended, "server-a")
    assert "server-a run --resume " in ended.stderr


def test_75_nothing_is_published(valkey9: Server, namespace: str) -> None:
    ended = run_program("server-b", "read", server=valkey9, namespace=namespace)
    assert (ended.exit_code, ended.stdout) == (75, "")
    assert_is_one_sentence(ended, "server-b")


@pytest.mark.redis_server
@pytest.mark.parametrize("program", GROUPS)
def test_75_a_server_that_is_busy_with_a_script(new_server: NewServer, program: Name) -> None:
    busy = new_server("redis7", "--lua-time-limit", "1")
    with connect(busy) as client, socket.socket(socket.AF_UNIX) as script:
        script.connect(str(busy.socket_path))
        script.sendall(b'EVAL "while true do end" 0\r\n')
        wait_until(lambda: "BUSY" in str(_error_of(client.ping)), description="the server is busy")
        ended = run_program(program, "status", server=busy)
        client.script_kill()
    assert (ended.exit_code, ended.stdout) == (75, ""), ended
    assert_is_one_sentence(ended, program)


def _error_of(call: Callable[[], object]) -> Exception | None:
    try:
        call()
    except redis.RedisError as error:
        return error
    return None


@pytest.fixture
def closed_server(new_server: NewServer) -> Server:
    """A server that asks for a password."""
    return new_server("redis7", "--requirepass", "right")


@pytest.mark.redis_server
@pytest.mark.parametrize("program", GROUPS)
def test_77_a_wrong_password(closed_server: Server, program: Name) -> None:
    for url in (closed_server.url, closed_server.url.replace("//", "//:s3cr7t9@")):
        started = time.monotonic()
        ended = run_program(program, *LEAST[program], server=url)
        assert (ended.exit_code, ended.stdout) == (77, ""), url
        assert_is_one_sentence(ended, program)
        assert "s3cr7t9" not in ended.stderr
        assert time.monotonic() - started < LIMIT_S


@pytest.mark.parametrize(
    ("program", "kind"), [("server-a", "valkey9"), pytest.param("server-b", "redis7", marks=pytest.mark.redis_server)]
)
def test_77_a_missing_right(new_server: NewServer, program: Name, kind: Kind) -> None:
    own_server = new_server(kind)
    with connect(own_server) as client:
        client.acl_setuser("reader", enabled=True, passwords=["+s3cr7t9"], categories=["+@read"], keys=["*"])
    url = own_server.url.replace("//", "//reader:s3cr7t9@")
    ended = run_program(program, *LEAST[program], server=url)
    assert (ended.exit_code, ended.stdout) == (77, ""), ended
    assert_is_one_sentence(ended, program)
    assert "s3cr7t9" not in ended.stderr


@pytest.mark.redis_server
def test_78_a_list_of_somebody_elses(redis7: Server, namespace: str) -> None:
    with connect(redis7) as client:
        client.rpush(f"{namespace}:biglist", "theirs")
        ended = run_program("server-a", "run", server=redis7, namespace=namespace)
        assert client.lrange(f"{namespace}:biglist", 0, -1) == [b"theirs"]
        assert client.keys(f"*{namespace}*") == [f"{namespace}:biglist".encode()]
    assert (ended.exit_code, ended.stdout) == (78, "")
    assert_is_one_sentence(ended, "server-a")
    assert f"{namespace}:biglist" in ended.stderr
    assert run_program("server-a", "run", "--overwrite", server=redis7, namespace=namespace).exit_code == 0


@pytest.mark.parametrize("program", GROUPS)
def test_78_a_key_of_another_type(valkey9: Server, namespace: str, program: Name) -> None:
    with connect(valkey9) as client:
        client.set(f"{namespace}:signals", "x")
        ended = run_program(program, *LEAST[program], server=valkey9, namespace=namespace)
        assert client.get(f"{namespace}:signals") == b"x"
    assert (ended.exit_code, ended.stdout) == (78, "")
    assert_is_one_sentence(ended, program)
    assert f"{namespace}:signals" in ended.stderr


@pytest.mark.parametrize("program", GROUPS)
def test_75_status_of_a_server_that_neither_program_ever_touched(
    valkey9: Server, namespace: str, program: Name
) -> None:
    ended = run_program(program, "status", server=valkey9, namespace=namespace)
    assert ended.exit_code == 75, ended
    assert ended.stdout.splitlines()[-1].startswith("Nothing of a hand-over is here. Check URL, database number and ")
    found = run_program(program, "status", "--json", server=valkey9, namespace=namespace)
    assert (found.exit_code, found.json()["is_empty"], found.json()["troubles"]) == (75, True, [])


@pytest.mark.parametrize(
    ("program", "command", "key"),
    [
        ("server-a", ("run", "--count", "10", "--overwrite"), "<prefix>user:1"),
        ("server-a", ("user", "show", "1"), "<prefix>user:1"),
        ("server-a", ("sku", "remove", "sku123"), "<prefix>sku:sku123"),
        ("server-a", ("cart", "show", "1"), "<prefix>cart:1"),
        ("server-a", ("cart", "remove", "1", "sku123"), "<prefix>cart:1"),
        ("server-a", ("status",), "{<prefix>signals}:dead"),
        ("server-b", ("dead", "list"), "{<prefix>signals}:dead"),
        ("server-b", ("read",), "<prefix>biglist"),
    ],
)
def test_78_names_the_key_of_another_type(
    valkey9: Server, namespace: str, program: Name, command: tuple[str, ...], key: str
) -> None:
    key = key.replace("<prefix>", f"{namespace}:")
    with connect(valkey9) as client:
        client.set(key, "x")
        ended = run_program(program, *command, server=valkey9, namespace=namespace)
        assert client.get(key) == b"x"
    assert (ended.exit_code, ended.stdout) == (78, ""), ended
    assert_is_one_sentence(ended, program)
    assert f"{key} at " in ended.stderr
    assert "--namespace" in ended.stderr


@pytest.mark.parametrize("run_id", ["theirs", "99991231T235959999Z-ffffff"])
def test_78_a_state_of_somebody_elses(valkey9: Server, namespace: str, run_id: str) -> None:
    state = {"run_id": run_id, "attempt": run_id, "count": "1", "digest": "0" * 32}
    with connect(valkey9) as client:
        client.hset(f"{{{namespace}:biglist}}:state", mapping=state)
    ended = run_program("server-a", "run", server=valkey9, namespace=namespace)
    assert (ended.exit_code, ended.stdout) == (78, "")
    assert_is_one_sentence(ended, "server-a")
