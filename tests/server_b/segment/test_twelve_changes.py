"""A failed verdict says what is wrong: twelve changes to the first, a middle and the last list of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from shared.errors import VerificationFailedError
from shared.keys import Keyspace
from shared.verdict import decode_result
from tests.stage.faulty_link import FaultyLink, resp
from tests.stage.hand_over_in_process import HandOver
from tests.stage.list_changes import CHANGES, COUNT, Change, change_list

if TYPE_CHECKING:
    import redis


@pytest.mark.parametrize("source", ["numbers", "lines"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_the_witness_is_exactly_the_change(
    *, source: str, change: Change, hand_over: HandOver, client: redis.Redis, keys: Keyspace, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"count": 3 * COUNT}
    if source == "lines":
        file = tmp_path / "lines"
        file.write_bytes(b"".join(b"line %d\n" % number for number in range(3 * COUNT)))
        options = {"values": str(file)}
    run_id = hand_over.produce(segment_values=COUNT, **options).run_id
    for segment in (1, 2, 3):
        change_list(client, keys, segment, change.make)
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    recorded = decode_result(cast("dict[bytes, bytes]", client.hgetall(keys.result(run_id))))
    found = [recorded[segment].witness for segment in (1, 2, 3)]
    expected = change.witness_of_numbers if source == "numbers" else change.witness_of_lines
    assert [witness and witness.as_json() for witness in found] == [expected(segment) for segment in (1, 2, 3)]
    assert hand_over.reports[-1].witness == found[0]


def test_the_witness_of_a_run_is_that_of_its_lowest_failed_segment(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=40, segment_values=10)
    for segment in (4, 2):
        change_list(client, keys, segment, lambda values: values[1:])
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    report = hand_over.reports[-1]
    said = "segment 2: short; position 11 is the first that is wrong, '11' expected, '12' found; 1 missing"
    assert f"What is wrong: {said}; 1 of its blocks" in report.as_text(print_values=0)


def test_without_digests_of_blocks_that_can_be_believed_nothing_is_said_of_blocks(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace, tmp_path: Path
) -> None:
    file = tmp_path / "lines"
    file.write_bytes(b"a\nb\nc\n")
    hand_over.produce(values=str(file))
    client.hset(keys.state(keys.segment(1)), "blocks", b"\0" * 16)
    change_list(client, keys, 1, lambda values: values[::-1])
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    witness = hand_over.reports[-1].witness
    assert witness is not None
    assert (witness.kind, witness.block, witness.blocks) == ("changed", None, None)


def test_without_the_record_of_the_run_nothing_is_known_to_be_a_number(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    run_id = hand_over.produce(count=10).run_id
    client.delete(keys.run(run_id))
    change_list(client, keys, 1, lambda values: values[::-1])
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    witness = hand_over.reports[-1].witness
    assert witness is not None
    assert (witness.kind, witness.position, witness.missing, witness.block) == ("changed", None, None, 1)


def test_a_list_that_is_as_announced_when_it_is_read_again_is_verified(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace, link: FaultyLink
) -> None:
    """As after a reply that was damaged on its way: the server's list was right all the time."""
    hand_over.produce(count=10)
    change_list(client, keys, 1, lambda values: values[::-1])
    # the second reading's own: the questions about the verdict watch the result while the first one is under way
    second = resp("WATCH", keys.segment(1))
    link.at(second, lambda: change_list(client, keys, 1, lambda values: values[::-1]), nth=2)
    assert hand_over.consume(url=link.url).verdict == "verified"


def test_a_list_that_changes_while_the_witness_is_made_is_read_anew(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace, link: FaultyLink
) -> None:
    hand_over.produce(count=10)
    client.lset(keys.segment(1), 0, "x")
    # each reading asks for the length at its beginning and at its end, and this is the end of the second one
    link.at(b"LLEN", lambda: client.lset(keys.segment(1), 0, "z"), nth=4)
    with pytest.raises(VerificationFailedError):
        hand_over.consume(url=link.url)
    witness = hand_over.reports[-1].witness
    assert witness is not None
    assert (witness.found, witness.foreign, witness.missing) == ("z", 1, 1)
