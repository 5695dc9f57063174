"""`python -m bench --structures` at its smallest, and the page that is made of its output. Times are not judged."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.raw import RawSocket
from bench.structures.shapes import KEY, LIST, STRUCTURES, Structure
from bench.structures.trial import Trial, rehearse
from demo.parent import ending_with_us
from demo.processes import program_environment
from demo.servers import Server
from tests.stage.servers import binary

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "structures.md"
COUNT, ROUNDS = 2_000, 1
NUMBERS = [b"%d" % number for number in range(1, COUNT + 1)]
SORTED_SET = next(structure for structure in STRUCTURES if "ZADD" in structure.name)
# name of the structure: order, duplicates, sent twice, slots, on a cluster
FACTS = {
    "list: LPUSH, LRANGE from the head": ("by place", "kept", "doubled", 1, "RENAME"),
    "list: RPUSH, LRANGE from the tail": ("by place", "kept", "doubled", 1, "RENAME"),
    "sorted set: ZADD, ZRANGE REV": ("by score", "lost", "as once", 1, "RENAME"),
    "stream: XADD, XREVRANGE": ("by id", "kept", "refused", 1, "RENAME"),
    "hash: HSET, HMGET": ("by field", "kept", "as once", 1, "RENAME"),
    "one key a value: MSET, MGET": ("by name", "kept", "as once", 1_482, "CROSSSLOT"),
}


@pytest.fixture
def raw(own_server: Server) -> Iterator[RawSocket]:
    """A raw connection to a server of the test's own."""
    with closing(RawSocket(own_server.port)) as socket:
        yield socket


def _rows() -> dict[str, list[dict[str, Any]]]:
    options = ("--structures", "--count", str(COUNT), "--rounds", str(ROUNDS), "--json")
    ended = subprocess.run(
        [sys.executable, "-m", "bench", *options],
        cwd=ROOT,
        capture_output=True,
        env=program_environment(os.environ),
        check=False,
        start_new_session=True,
        preexec_fn=ending_with_us(),
    )
    assert ended.returncode == 0, ended.stderr.decode()
    rows: dict[str, list[dict[str, Any]]] = json.loads(ended.stdout)["structures"]
    return rows


@pytest.mark.redis_server
def test_every_structure_is_read_in_reverse_and_its_facts_are_seen() -> None:
    binary("valkey9")
    places = _rows()
    assert sorted(place.split()[0] for place in places) == ["Redis", "Valkey"]
    for rows in places.values():
        seen = ("order", "duplicates", "sent_twice", "slots", "on_a_cluster")
        assert {row["structure"]: tuple(row[name] for name in seen) for row in rows} == FACTS
        for row in rows:
            assert (row["values"], row["verified_readings"]) == (COUNT, ROUNDS + 1)
            assert row["write"]["job"] == "write 2,000 values"
            assert row["read"]["job"] == "read 2,000 values in reverse"
            assert len(row["write"]["contender_s"]) == len(row["read"]["contender_s"]) == ROUNDS


@pytest.mark.parametrize(
    ("structure", "least", "most"), [pytest.param(LIST, 3, 9, id="list"), pytest.param(SORTED_SET, 50, 150, id="set")]
)
def test_the_memory_of_a_structure_is_weighed(raw: RawSocket, structure: Structure, least: int, most: int) -> None:
    numbers = [b"%d" % number for number in range(1, 50_001)]
    trial = _trial(raw, structure, numbers, expected=numbers)
    _run(trial)
    assert least < trial.bytes_a_value < most


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda structure: structure.name)
def test_all_values_of_a_structure_are_compared(raw: RawSocket, structure: Structure) -> None:
    trial = _trial(raw, structure, NUMBERS, expected=[*NUMBERS[:-1], b"other"])
    with pytest.raises(RuntimeError, match="expected all values in reverse, got others at rank 0"):
        _run(trial)


@pytest.mark.parametrize(
    ("structure", "written"),
    [
        pytest.param(replace(LIST, values=lambda reply: reply[::-1]), NUMBERS, id="in order of insertion"),
        pytest.param(SORTED_SET, [*NUMBERS[1:], NUMBERS[5]], id="without duplicates"),
    ],
)
def test_a_reading_in_another_order_or_without_duplicates_is_no_outcome(
    raw: RawSocket, structure: Structure, written: list[bytes]
) -> None:
    with pytest.raises(RuntimeError, match=f"{structure.name}: expected"):
        _run(_trial(raw, structure, written, expected=written))


def test_a_short_reading_is_no_outcome(raw: RawSocket) -> None:
    short = replace(LIST, read=lambda key, _count, start, stop: ("LRANGE", key, start, min(stop, COUNT - 1) - 1))
    with pytest.raises(RuntimeError, match="expected 2000 values, got 1999"):
        _run(_trial(raw, short, NUMBERS, expected=NUMBERS))


def test_a_command_that_the_server_refuses_is_told_before_anything_is_timed(raw: RawSocket) -> None:
    unknown = replace(LIST, write=lambda key, _first, values: [("LPUSHED", key, *values)])
    with pytest.raises(RuntimeError, match="LPUSHED: expected no error, got ERR unknown command"):
        rehearse(raw, unknown, KEY, NUMBERS)


def test_the_page_shows_what_the_command_finds() -> None:
    page = PAGE.read_text("utf-8")
    assert "make bench ARGS=--structures" in page
    for name, (*seen, _slots, on_a_cluster) in FACTS.items():
        rows = re.findall(rf"^ *{re.escape(name)}  +(.*)$", page, re.MULTILINE)
        assert len(rows) == 2, name
        for row in rows:
            assert re.split(r"  +", row)[3:6] == seen
            assert row.endswith(f"  {on_a_cluster}")


def _trial(raw: RawSocket, structure: Structure, written: list[bytes], *, expected: list[bytes]) -> Trial:
    """Return a trial that writes some values and expects others."""
    baseline = rehearse(raw, LIST, "baseline", expected)
    return Trial(raw, rehearse(raw, structure, KEY, written), baseline, expected[::-1])


def _run(trial: Trial) -> None:
    """Run every contest once."""
    for contest in trial.contests():
        contest.run_baseline()
        contest.run()
