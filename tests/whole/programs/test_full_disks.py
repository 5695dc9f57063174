"""Disks that are full for what the programs keep in files: one sentence, and the same command works when there is room.

A limit of a file's size stands for the disk: it needs no root, and ends a file in the middle of what is written, too.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from demo.servers import Server
from tests.stage.programs import Finished, Name, environment_of
from tests.stage.raw import call
from tests.stage.servers import NewServer

LINES = b"".join(b"line %d\n" % number for number in range(50_000))
READ = ("run", "--once", "--wait-s", "30")


def _run(
    name: Name, *arguments: str, server: Server, folder: Path, most_bytes: int | None, stdin: bytes = b""
) -> Finished:
    """Run a program whose files may be so long; None for any length."""
    limit = ["prlimit", f"--fsize={most_bytes}", "--"] if most_bytes is not None else []
    env = {"XDG_STATE_HOME": str(folder), "TMPDIR": str(folder)}
    ended = subprocess.run(
        [*limit, sys.executable, "-m", name.replace("-", "_"), *arguments],
        env=environment_of(name, server=server, namespace="", env=env),
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Finished(ended.returncode, ended.stdout, ended.stderr)


def _require_told(ended: Finished, name: Name) -> None:
    assert ended.exit_code in (2, 75), ended.stderr
    assert ended.stderr.splitlines()[-1].startswith(f"{name}: "), ended.stderr
    assert "File too large" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.fixture
def server(new_server: NewServer) -> Server:
    """A server of the test's own."""
    return new_server("valkey9")


@pytest.mark.parametrize("most_bytes", [0, 10, 700])
def test_a_followers_verdicts_and_checkpoint(server: Server, tmp_path: Path, most_bytes: int) -> None:
    run = ("run", "--count", "50", "--segment-values", "20", "--json")
    written = _run("server-a", *run, server=server, folder=tmp_path, most_bytes=None).json()
    call(server, "REPLICAOF", "127.0.0.1", 1)
    ended = _run("server-b", *READ, server=server, folder=tmp_path, most_bytes=most_bytes)
    _require_told(ended, "server-b")
    assert ("verified" in ended.stdout) == (most_bytes > 0), "the verdict is shown, unless nothing could be kept at all"
    ended = _run("server-b", *READ, "--json", server=server, folder=tmp_path, most_bytes=None)
    assert (ended.json()["run_id"], ended.json()["verdict"]) == (written["run_id"], "verified")
    assert _run("server-b", "status", server=server, folder=tmp_path, most_bytes=None).exit_code == 0


def test_a_report(server: Server, tmp_path: Path) -> None:
    _run("server-a", "run", server=server, folder=tmp_path, most_bytes=None)
    file = tmp_path / "report.html"
    file.write_text("the one before")
    report = ("report", "--html", str(file))
    _require_told(_run("server-b", *report, server=server, folder=tmp_path, most_bytes=4_096), "server-b")
    assert file.read_text() == "the one before"
    assert list(tmp_path.iterdir()) == [file]
    assert _run("server-b", *report, server=server, folder=tmp_path, most_bytes=None).exit_code == 0


def test_a_copy_of_standard_input(server: Server, tmp_path: Path) -> None:
    run = ("run", "--values", "-", "--json")
    _require_told(_run("server-a", *run, server=server, folder=tmp_path, most_bytes=4_096, stdin=LINES), "server-a")
    assert call(server, "DBSIZE") == 0
    assert list(tmp_path.iterdir()) == []
    ended = _run("server-a", *run, server=server, folder=tmp_path, most_bytes=None, stdin=LINES)
    assert ended.json()["count"] == 50_000
