"""`explain` says all that is wrong with a list, by the twelve changes and with the file for lines."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from demo.servers import Server
from server_b.explain import lines as lines_module
from server_b.explain import ranges as ranges_module
from server_b.explain.explanation import Explainer, Explanation
from server_b.explain.found_verdicts import read_verdicts
from server_b.explain.lines import LinesOfFile
from shared.endpoint.endpoint import Endpoint
from shared.errors import InvalidInputError, VerificationFailedError
from shared.keys import Keyspace
from shared.verdict import FAILED, SegmentVerdict, decode_result
from tests.stage.explaining import explain
from tests.stage.hand_over_in_process import OLDER, RUN, HandOver
from tests.stage.list_changes import CHANGES, COUNT, Change, change_list
from tests.stage.programs import run_program

if TYPE_CHECKING:
    import redis

WRONG = {
    "one changed": ["missing 1700", "foreign 1700"],
    "two swapped": ["moved 100", "moved 2200"],
    "one lost": ["missing 1234"],
    "one doubled": ["doubled 500"],
    "one inserted": ["foreign 2001"],
    "a block lost": ["missing 1001-2000"],
    "reversed": ["moved 1-2500"],
    "a foreign list": ["missing 1-2500", "foreign 1-2500"],
    "truncated at the head": ["missing 1801-2500"],
    "truncated at the tail": ["missing 1-300"],
    "a space added": ["missing 43", "foreign 43"],
    "empty": ["missing 1-2500"],
}
WRONG_LINES = WRONG | {"reversed": ["moved 1-2499"]}  # one of them may be taken for the one that stayed


def fail(hand_over: HandOver, client: redis.Redis, change: Any, **options: Any) -> str:
    """Hand a run of three segments over whose second list was changed, and return its id."""
    run_id = hand_over.produce(segment_values=COUNT, **options).run_id
    change_list(client, hand_over.keys, 2, change)
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    return run_id


def spelled(found: Explanation) -> list[str]:
    """Return the ranges of segment 2 by their positions in it."""
    places = [(each.kind, each.first - COUNT, each.last - COUNT) for each in found.ranges.kept]
    return [f"{kind} {first}" + (f"-{last}" if last > first else "") for kind, first, last in places]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of lines for three segments, some of them long."""
    path = tmp_path / "lines"
    path.write_bytes(b"".join(b"line %d%b\n" % (number, b"x" * (number % 300)) for number in range(3 * COUNT)))
    return path


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_ranges_of_numbers(
    change: Change, hand_over: HandOver, client: redis.Redis, endpoint: Endpoint, keys: Keyspace
) -> None:
    found = explain(endpoint, keys, fail(hand_over, client, change.make, count=3 * COUNT))
    assert sorted(spelled(found)) == sorted(WRONG[change.name])
    assert [witness.as_json() for witness in found.witnesses] == [change.witness_of_numbers(2)]
    assert found.notes == []
    for each in found.ranges.kept:
        assert len(each.examples) == min(10, each.last - each.first + 1)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_ranges_of_lines(
    *, change: Change, hand_over: HandOver, client: redis.Redis, endpoint: Endpoint, keys: Keyspace, file: Path
) -> None:
    found = explain(endpoint, keys, fail(hand_over, client, change.make, values=str(file)), file)
    assert sorted(spelled(found)) == sorted(WRONG_LINES[change.name])
    assert found.notes == []


def test_what_is_wrong_at_the_end_of_a_list_and_at_the_beginning_of_the_next_is_told_of_both(
    hand_over: HandOver, client: redis.Redis, endpoint: Endpoint, keys: Keyspace, file: Path
) -> None:
    """The ranges follow each other, and become one."""
    run_id = hand_over.produce(segment_values=COUNT, values=str(file)).run_id
    change_list(client, keys, 1, lambda values: values[:-1])
    change_list(client, keys, 2, lambda values: values[1:])
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    found = explain(endpoint, keys, run_id, file)
    assert [(each.kind, each.first, each.last) for each in found.ranges.kept] == [("missing", COUNT, COUNT + 1)]
    assert found.notes == []


def test_examples_name_the_value_and_where_it_stands(
    hand_over: HandOver, client: redis.Redis, endpoint: Endpoint, keys: Keyspace, file: Path
) -> None:
    by_name = {change.name: change.make for change in CHANGES}
    numbers = explain(endpoint, keys, fail(hand_over, client, by_name["two swapped"], count=3 * COUNT))
    found = explain(endpoint, keys, fail(hand_over, client, by_name["two swapped"], values=str(file)), file)
    for ranges in (numbers.ranges, found.ranges):
        assert [each.examples[0]["position"] - COUNT for each in ranges.kept] == [2_200, 100]
    assert [each.examples[0]["value"][:9] for each in found.ranges.kept] == ["line 2599", "line 4699"]


def test_of_lines_without_their_file_the_blocks_are_named(
    hand_over: HandOver, client: redis.Redis, endpoint: Endpoint, keys: Keyspace, file: Path
) -> None:
    run_id = fail(hand_over, client, CHANGES[0].make, values=str(file))
    found = explain(endpoint, keys, run_id)
    assert spelled(found) == ["differing 1001-2000"]
    assert "--values FILE" in found.notes[0][1]


def test_another_file_than_the_runs_is_refused(
    hand_over: HandOver, client: redis.Redis, endpoint: Endpoint, keys: Keyspace, file: Path
) -> None:
    run_id = fail(hand_over, client, CHANGES[0].make, values=str(file))
    file.write_bytes(file.read_bytes().replace(b"line 2500", b"line 250O", 1))
    with pytest.raises(InvalidInputError, match="other lines in segment 2"):
        explain(endpoint, keys, run_id, file)
    file.write_bytes(b"only one\n")
    with pytest.raises(InvalidInputError, match="other lines in segment 2"):
        explain(endpoint, keys, run_id, file)


def test_a_file_that_cannot_be_read_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="a file that can be read"):
        LinesOfFile(str(tmp_path / "none"))
    reading, writing = os.pipe()
    with pytest.raises(InvalidInputError, match="a file that can be read twice"):
        LinesOfFile(f"/dev/fd/{reading}")
    os.close(reading)
    os.close(writing)


def test_a_list_that_was_replaced_or_mended_since_is_not_explained(
    hand_over: HandOver, client: redis.Redis, endpoint: Endpoint, keys: Keyspace
) -> None:
    run_id = fail(hand_over, client, lambda values: values[::-1], count=3 * COUNT)
    change_list(client, keys, 2, lambda values: values[::-1])
    found = explain(endpoint, keys, run_id)
    assert (found.ranges.kept, found.notes) == ([], [(2, "the list holds what was expected by now")])
    newer = hand_over.produce(count=3 * COUNT, segment_values=COUNT).run_id
    found = explain(endpoint, keys, run_id)
    assert (found.ranges.kept, found.notes) == ([], [(2, f"the list has been replaced since, by run {newer}")])
    assert len(found.witnesses) == 1


def test_from_where_nothing_fits_is_said(
    *,
    hand_over: HandOver,
    client: redis.Redis,
    endpoint: Endpoint,
    keys: Keyspace,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server_b.explain.line_matching._STEPS", (100,))
    run_id = fail(hand_over, client, lambda v: v[:700] + v[700:2_400:][::-1] + v[2_400:], values=str(file))
    found = explain(endpoint, keys, run_id, file)
    assert (found.ranges.kept, found.notes) == ([], [(2, "from position 3,201 on nothing fits")])


def test_what_is_kept_is_bounded(
    *,
    hand_over: HandOver,
    client: redis.Redis,
    endpoint: Endpoint,
    keys: Keyspace,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ranges_module, "MAX_RANGES", 5)
    monkeypatch.setattr(lines_module, "MAX_SORTED", 7)
    run_id = fail(
        hand_over, client, lambda v: [b"x" if n % 100 == 50 else v[n] for n in range(COUNT)], values=str(file)
    )
    found = explain(endpoint, keys, run_id, file)
    assert len(found.ranges.kept) == 10
    assert found.ranges.left_out == {"missing": 20, "foreign": 20}
    assert found.notes == [(2, "too many lines differ to tell which of them were moved")]


def test_text_and_json(hand_over: HandOver, server: Server, namespace: str, client: redis.Redis) -> None:
    run_id = fail(hand_over, client, lambda v: [*v[:9], b"\x1b[31m", *v[10:]], count=3 * COUNT)
    shown = run_program("server-b", "explain", run_id, server=server, namespace=namespace)
    assert shown.exit_code == 0
    first, witness, *ranges, advice = shown.stdout.splitlines()
    assert first == f"Run {run_id}: failed for segment 2."
    assert witness.startswith("As its verdict says: segment 2: changed; position 2,510 is the first that is wrong, ")
    assert advice == f"server-a run --resume {run_id} --repair writes what failed again."
    assert ranges == ["  foreign   2,510: '\\x1b[31m' at 2,510", "  missing   2,510: '2510' at 2,510"]
    found = run_program("server-b", "explain", run_id, "--json", server=server, namespace=namespace).json()
    assert list(found) == ["run_id", "verdict", "witnesses", "ranges", "ranges_left_out", "notes"]
    example = {"position": 2_510, "value": "2510"}
    assert {"kind": "missing", "first": 2_510, "last": 2_510, "examples": [example]} in found["ranges"]
    assert found["witnesses"] == [json.loads(json.dumps(hand_over.reports[-1].as_json()["witness"]))]


def test_a_run_without_verdicts_is_refused_and_a_verified_one_has_nothing_to_explain(
    hand_over: HandOver, server: Server, namespace: str
) -> None:
    unknown = run_program("server-b", "explain", OLDER, server=server, namespace=namespace)
    assert (unknown.exit_code, unknown.stderr.count("\n")) == (2, 1)
    run_id = hand_over.produce(count=10).run_id
    hand_over.consume()
    known = run_program("server-b", "explain", run_id, server=server, namespace=namespace)
    assert (known.exit_code, known.stdout) == (0, f"Run {run_id} is verified; no segment has failed.\n")


def test_verdicts_of_a_follower_on_this_host_count(
    hand_over: HandOver, client: redis.Redis, endpoint: Endpoint, keys: Keyspace
) -> None:
    run_id = fail(hand_over, client, CHANGES[0].make, count=3 * COUNT)
    recorded = decode_result(cast("dict[bytes, bytes]", client.hgetall(keys.result(run_id))))
    verdicts = read_verdicts(endpoint, keys, run_id, {})
    client.delete(keys.result(run_id))
    assert read_verdicts(endpoint, keys, run_id, {run_id: recorded}) == verdicts
    assert (verdicts.number, verdicts.failed) == (3, {2: recorded[2]})
    older = replace(recorded[2], attempt=OLDER)
    client.hset(keys.result(run_id), "2", recorded[2].encode())
    assert read_verdicts(endpoint, keys, run_id, {run_id: {2: older}}).failed == {2: recorded[2]}


def test_of_many_failed_segments_the_first_thousand_are_looked_at(
    endpoint: Endpoint, client: redis.Redis, keys: Keyspace, server: Server, namespace: str
) -> None:
    """Their run is gone, and with its record how many it had."""
    failed = SegmentVerdict(FAILED, RUN, 1, 2_500, 10, "0" * 32, reason="x")
    verdicts = [replace(failed, segment=number) for number in (1, *range(1_200, 2_400))]
    client.hset(keys.result(RUN), mapping={str(each.segment): each.encode() for each in verdicts})
    found = read_verdicts(endpoint, keys, RUN, {})
    assert (found.verdict, found.number, len(found.failed)) == (FAILED, 1_201, 1_000)
    explained = Explainer(endpoint, keys, RUN, None).explain(found)
    assert len(explained.notes) == 1_001
    assert explained.notes[-1][0] == 2_199
    text = run_program("server-b", "explain", RUN, server=server, namespace=namespace).stdout
    assert "one of 201 that failed beyond the first 1,000, which are not looked at" in text
