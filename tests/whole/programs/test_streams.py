"""Streams that are closed, full, cut off or of another encoding: no traceback, and no wrong exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.programs import Finished, Name, environment_of, run_program

if TYPE_CHECKING:
    import redis


def _in_shell(
    name: Name, command: str, redirection: str, *, server: Server, namespace: str, tmp_path: Path
) -> Finished:
    """Run a program with a redirection of the shell; stdout and stderr are what is left of them."""
    code = tmp_path / "code"
    script = f"{{ {sys.executable} -m {name.replace('-', '_')} {command} {redirection}; echo $? >{code}; }}"
    ended = subprocess.run(
        ["bash", "-c", script],
        env=environment_of(name, server=server, namespace=namespace, env=None),
        capture_output=True,
        timeout=60,
        check=True,
    )
    return Finished(int(code.read_text()), ended.stdout, ended.stderr)


@pytest.fixture
def damaged(server: Server, namespace: str, client: redis.Redis, keys: Keyspace) -> None:
    """A run whose list was changed before anybody read it."""
    assert run_program("server-a", "run", "--count", "10", server=server, namespace=namespace).exit_code == 0
    client.lset(keys.segment(1), 3, "x")


# what is written into a pipe nobody reads; bash makes one whose reader has ended by the time of the report
GONE = "> >(exec sleep 0)"


@pytest.mark.parametrize("redirection", [GONE, "2> >(exec sleep 0)", "> >(exec sleep 0) 2>&1", ">&-", "2>&-", "<&-"])
def test_a_failed_verdict_is_65_whoever_reads_it(
    damaged: None, server: Server, namespace: str, tmp_path: Path, redirection: str
) -> None:
    ended = _in_shell(
        "server-b", "run --once --wait-s 20", redirection, server=server, namespace=namespace, tmp_path=tmp_path
    )
    assert ended.exit_code == 65, ended
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("redirection", [GONE, ">&-"])
def test_trouble_is_told_by_the_exit_code_whoever_reads_it(
    damaged: None, server: Server, namespace: str, tmp_path: Path, redirection: str
) -> None:
    ended = _in_shell("server-a", "status", redirection, server=server, namespace=namespace, tmp_path=tmp_path)
    assert (ended.exit_code, ended.stderr) == (75, "")


@pytest.mark.parametrize(
    ("name", "command"),
    [("server-b", "run --once --wait-s 20"), ("server-b", "read"), ("server-a", "run"), ("server-a", "user list")],
)
def test_a_full_disk_is_one_sentence_and_75(
    server: Server, namespace: str, tmp_path: Path, name: Name, command: str
) -> None:
    assert run_program("server-a", "run", "--count", "9000", server=server, namespace=namespace).exit_code == 0
    ended = _in_shell(name, command, ">/dev/full", server=server, namespace=namespace, tmp_path=tmp_path)
    assert ended.exit_code == 75, ended
    assert ended.stderr.splitlines()[-1].startswith(f"{name}: output: ")
    assert "Traceback" not in ended.stderr


def test_a_report_that_could_not_be_printed_is_printed_when_the_run_is_named(
    server: Server, namespace: str, tmp_path: Path
) -> None:
    summary = run_program("server-a", "run", "--json", server=server, namespace=namespace).json()
    command = f"run --run {summary['run_id']} --wait-s 20"
    ended = _in_shell("server-b", command, ">/dev/full", server=server, namespace=namespace, tmp_path=tmp_path)
    assert ended.exit_code == 75
    report = run_program("server-b", *command.split(), "--json", server=server, namespace=namespace)
    assert report.exit_code == 0, report
    assert report.json()["run_id"] == summary["run_id"]


def test_names_that_an_encoding_lacks_are_spelled(server: Server, namespace: str) -> None:
    add = ("sku", "add", "sku123", "--name", "Café €", "--price", "1")
    assert run_program("server-a", "run", server=server, namespace=namespace).exit_code == 0
    latin = {"PYTHONIOENCODING": "latin-1"}
    ended = run_program("server-a", *add, server=server, namespace=namespace, env=latin)
    assert (ended.exit_code, ended.stdout) == (0, "Changed SKU sku123: Caf\\xe9 \\u20ac at 1.00.\n"), ended
    ended = run_program("server-b", "run", "--once", server=server, namespace=namespace, env=latin)
    assert ended.exit_code == 0
    assert "\\u20ac" in ended.stdout
