"""`python -m bench.together` at its smallest, and the pages that show its tables. What it measures is not judged."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.together.load import KEYS, VALUE_BYTES, load_command
from demo.parent import ending_with_us
from demo.processes import program_environment
from tests.stage.servers import binary

ROOT = Path(__file__).parents[2]
SCALE, ENDPOINTS = (ROOT / "docs" / f"{name}.md" for name in ("scale", "endpoints"))
SMALL = ("--count", "20000", "--segment-values", "1000", "--rounds", "1")


def _ended(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.together", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=program_environment(os.environ),
        check=True,
        start_new_session=True,
        preexec_fn=ending_with_us(),
    )


def _rows(*options: str) -> list[dict[str, Any]]:
    found = json.loads(_ended(*options, *SMALL, "--json").stdout)
    assert set(found) >= {"machine", "server", "rounds", "count", "segment_values", "rows"}
    rows: list[dict[str, Any]] = found["rows"]
    return rows


@pytest.mark.parametrize("delay_ms", ["0", "1"])
def test_several_readers_share_a_run(delay_ms: str) -> None:
    binary("valkey9")
    rows = _rows("readers", "--server", "valkey", "--delay-ms", delay_ms)
    assert [(row["readers"], row["segments"], len(row["shares"]), sum(row["shares"])) for row in rows] == [
        (1, 20, 1, 20),
        (4, 20, 4, 20),
    ]


@pytest.mark.redis_server
@pytest.mark.slow
def test_a_hand_over_beside_a_load() -> None:
    rows = _rows("load")
    assert [(row["clients"], row["load_per_s"] > 0) for row in rows] == [(0, False), (50, True)]
    assert {row["b"]["verdict"] for row in rows} == {"verified"}
    assert all(row["a"]["write_s"] > 0 < row["b"]["read_s"] for row in rows)


@pytest.mark.redis_server
@pytest.mark.slow
@pytest.mark.parametrize(("what", "page"), [("readers", SCALE), ("load", ENDPOINTS)])
def test_the_page_has_the_command_and_the_columns(what: str, page: Path) -> None:
    text = page.read_text("utf-8")
    assert f"python -m bench.together {what}" in text
    (heading,) = [
        line for line in _ended(what, *SMALL).stdout.splitlines() if line.startswith(("| server-b", "| clients"))
    ]
    assert heading in text


def test_the_page_names_the_load_as_it_is() -> None:
    (shown,) = re.findall(r"`(redis-benchmark [^`]+)`", ENDPOINTS.read_text("utf-8"))
    command = load_command(6379, 50)
    assert shlex.split(shown) == command
    assert {str(KEYS), str(VALUE_BYTES)} < set(command)
