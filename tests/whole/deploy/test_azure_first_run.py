"""docs/azure-first-run.md: what can be run without Azure is run; the rest is at least the shell's language."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from azure.mgmt.redisenterprise.models import ClusteringPolicy

from demo.processes import program_environment
from tests.stage.servers import NewServer

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "azure-first-run.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = ("check-a", "check-b", "run-a", "run-b", "status")


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_syntax(block: str) -> None:
    subprocess.run(["bash", "-n"], input=block.encode(), check=True)


@pytest.mark.redis_server
def test_the_function_hands_over_and_notes_all_that_is_printed(new_server: NewServer, tmp_path: Path) -> None:
    (function,) = [block for block in BLOCKS if block.startswith("hand_over()")]
    server = new_server("redis7", "--requirepass", "s3cr7t9")
    python = shlex.quote(sys.executable)
    (tmp_path / "key").write_text("s3cr7t9\n")
    (tmp_path / "out").mkdir()
    script = f"""
        server-a() {{ {python} -m server_a "$@"; }}
        server-b() {{ {python} -m server_b "$@"; }}
        {function}
        hand_over NoCluster-key {server.url} --password-file key
    """
    environment = {**program_environment(os.environ), "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path)}
    subprocess.run(["bash", "-euc", script], check=True, cwd=tmp_path, env=environment, timeout=100)
    out = {path.name: path.read_text("utf-8") for path in (tmp_path / "out").iterdir()}
    ends = [f".{kind}" for kind in ("txt", "err")]
    assert set(out) == {f"NoCluster-key-{each}{end}" for each in COMMANDS for end in ends} | {"exit-codes.txt"}
    assert [line.split()[0] for line in out["exit-codes.txt"].splitlines()] == ["0"] * 5
    assert json.loads(out["NoCluster-key-run-b.txt"])["verdict"] == "verified"
    assert json.loads(out["NoCluster-key-run-a.txt"])["segments"] == 10
    assert not [name for name, text in out.items() if "s3cr7t9" in text]


def test_each_policy_is_run_with_key_and_entra() -> None:
    policies = {policy.value for policy in ClusteringPolicy}
    loops = re.findall(r"for policy in ([\w ]+); do\n(.*?)^done", PAGE, re.MULTILINE | re.DOTALL)
    assert [set(named.split()) for named, _ in loops] == [policies] * 5
    ways = [options for _, body in loops for options in re.findall(r"hand_over \S+ \S+ (.+)", body)]
    assert ways == ["--password-file key", "--auth entra"]
