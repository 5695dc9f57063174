"""`make failover` at its smallest: a primary dies under load, and the table has a row. What it costs is not judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.failover.table import CUT_OFF, Cell, failover_table
from bench.failover.trial import Seen
from demo.parent import ending_with_us
from demo.processes import program_environment
from tests.stage.leftovers import processes_of
from tests.stage.servers import binary

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "failover.md"
SEEN = Seen(
    killed_at=100, replaced_s=1.04, a_outages=1, a_outage_s=1.2, b_outages=2, b_outage_s=1.26, lost_acknowledged=60_000,
    segments_rewritten=3, attempts_lost=1, verdict="verified",
)  # fmt: skip


@pytest.mark.slow
def test_what_a_primary_lost_that_was_cut_from_its_replica_is_counted_and_written_again(tmp_path: Path) -> None:
    binary("valkey9")
    what = ("--form", "pair", "--replica", CUT_OFF, "--min-replicas", "0", "--rounds", "1", "--count", "4000000")
    ended = subprocess.run(
        [sys.executable, "-m", "bench.failover", *what, "--json"],
        cwd=ROOT,
        capture_output=True,
        env={**program_environment(os.environ), "TMPDIR": str(tmp_path)},
        check=False,
        start_new_session=True,
        preexec_fn=ending_with_us(),
    )
    assert ended.returncode == 0, ended.stderr.decode()
    (cell,) = json.loads(ended.stdout)["cells"]
    (seen,) = cell.pop("failovers")
    assert cell == {"form": "pair", "replica": CUT_OFF, "min_replicas": 0}
    assert seen["verdict"] == "verified"
    assert seen["a_outages"] >= 1
    assert seen["b_outages"] >= 1
    # what was signalled after the cut; more may have been published
    assert seen["segments_rewritten"] >= 1
    assert seen["lost_acknowledged"] == seen["segments_rewritten"] * 20_000
    assert processes_of(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_row_shows_every_failover() -> None:
    _headings, _rule, row = failover_table({Cell("pair", CUT_OFF, 1): [SEEN, SEEN]}).splitlines()
    assert row.startswith(
        "| pair: primary and replica, promoted after 1.0 s | cut off | 1 | 1.0 / 1.0 s | 1.2 / 1.2 s |"
    )
    assert row.endswith("| 1.3 / 1.3 s | 60,000 / 60,000 | 3 / 3 | 1 / 1 | 2 verified |")


def test_the_page_shows_the_table_as_the_command_prints_it() -> None:
    headings, rule = failover_table({}).splitlines()
    page = PAGE.read_text("utf-8")
    assert f"{headings}\n{rule}\n| pair: " in page
    assert "`make failover`" in page


def test_a_run_that_is_too_small_is_refused() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bench.failover", "--count", "1000"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        start_new_session=True,
        preexec_fn=ending_with_us(),
    )
    assert ended.returncode == 2
    assert b"fewer than 8 segments" in ended.stderr
