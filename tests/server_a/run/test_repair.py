"""`server-a run --resume RUN_ID --repair` writes what failed again, and the next verdict replaces the old one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from demo.servers import Server
from server_b.group.dead_letters import DeadLetters, letter_fields
from shared.endpoint.endpoint import Endpoint
from shared.errors import InvalidInputError, NotFinishedError, SupersededError, VerificationFailedError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.stopping import StopRequest
from shared.verdict import SegmentVerdict, decode_result
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import DIGEST, RUN, HandOver, numbers, stored_values
from tests.stage.list_changes import change_list
from tests.stage.programs import run_program

if TYPE_CHECKING:
    import redis

SIZES: dict[str, Any] = {"count": 40, "segment_values": 10}


def verdicts_of(client: redis.Redis, keys: Keyspace, run_id: str) -> dict[int, SegmentVerdict]:
    """Return the verdicts as they stand."""
    return decode_result(cast("dict[bytes, bytes]", client.hgetall(keys.result(run_id))))


def fail(hand_over: HandOver, client: redis.Redis, *segments: int, **options: Any) -> str:
    """Hand a run over of which these lists were changed, and return its id."""
    run_id = hand_over.produce(**options).run_id
    for segment in segments:
        change_list(client, hand_over.keys, segment, lambda values: values[::-1])
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    return run_id


def test_only_what_failed_is_written_again_and_verified(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    run_id = fail(hand_over, client, 2, 4, **SIZES)
    before = verdicts_of(client, keys, run_id)
    assert hand_over.produce(resume=run_id).attempts == 0
    assert hand_over.produce(resume=run_id, repair=True).attempts == 2
    assert stored_values(client, keys, segments=4) == numbers(40)
    assert hand_over.consume(run_id=run_id).verdict == "verified"
    after = verdicts_of(client, keys, run_id)
    assert {number for number in after if after[number] != before[number]} == {2, 4}
    assert all(after[number].attempt > before[number].attempt for number in (2, 4))
    assert hand_over.produce(resume=run_id, repair=True).attempts == 0


def test_a_repair_that_was_stopped_goes_on_as_one(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace, link: FaultyLink
) -> None:
    run_id = fail(hand_over, client, 2, 4, **SIZES)
    stop = StopRequest()
    link.at(b"XADD", stop.request)
    with pytest.raises(NotFinishedError) as caught:
        hand_over.produce(url=link.url, resume=run_id, repair=True, stop=stop)
    stop.close()
    assert "--repair" in caught.value.advice
    hand_over.produce(resume=run_id, repair=True)
    assert hand_over.consume(run_id=run_id).verdict == "verified"


def test_lines_are_written_again_from_their_file_alone(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace, tmp_path: Path
) -> None:
    file, other = tmp_path / "lines", tmp_path / "others"
    file.write_bytes(b"".join(b"%d\n" % number for number in range(1, 41)))
    other.write_bytes(file.read_bytes().replace(b"15\n", b"51\n"))
    run_id = fail(hand_over, client, 2, values=str(file), segment_values=10)
    with pytest.raises(InvalidInputError, match="the run's file again as --values FILE"):
        hand_over.produce(resume=run_id, repair=True)
    with pytest.raises(InvalidInputError, match="other lines in segment 2"):
        hand_over.produce(resume=run_id, repair=True, values=str(other))
    assert hand_over.produce(resume=run_id, repair=True, values=str(file)).attempts == 1
    assert hand_over.consume(run_id=run_id).verdict == "verified"
    assert stored_values(client, keys, segments=4) == numbers(40)


def test_the_dead_letters_of_a_repaired_segment_are_dropped_and_no_others(
    hand_over: HandOver, client: redis.Redis, endpoint: Endpoint, keys: Keyspace
) -> None:
    run_id = hand_over.produce(**SIZES).run_id
    client.delete(keys.segment(3), keys.state(keys.segment(3)))
    with pytest.raises(VerificationFailedError):
        hand_over.consume(settle_s=0, claim_idle_ms=1, max_deliveries=1)
    assert len(DeadLetters(endpoint, keys).list_letters()) == 1
    others = [Signal(RUN, RUN, 3, 4, 10, DIGEST), Signal(run_id, RUN, 2, 4, 10, DIGEST)]
    others.append(Signal(run_id, "29991122T205801123Z-3f9a1c", 3, 4, 10, DIGEST))
    for number, signal in enumerate(others):
        fields = {name.encode(): value.encode() for name, value in signal.encode().items()}
        letter = letter_fields(origin=f"{number}-1", reason="another", consumer="b", fields=fields)
        client.xadd(keys.dead_letters(), letter)
    client.xadd(keys.dead_letters(), {"origin": "9-1", "reason": "no signal"})
    hand_over.produce(resume=run_id, repair=True)
    assert hand_over.consume(run_id=run_id).verdict == "verified"
    assert [letter.origin for letter in DeadLetters(endpoint, keys).list_letters()] == ["0-1", "1-1", "2-1", "9-1"]


def test_without_verdicts_at_this_url_it_is_refused(hand_over: HandOver, client: redis.Redis, keys: Keyspace) -> None:
    """As where server-b follows a replica, and keeps them on its host."""
    run_id = hand_over.produce(**SIZES).run_id
    before = client.hgetall(keys.state(keys.segment(2)))
    with pytest.raises(InvalidInputError, match="follows a replica") as caught:
        hand_over.produce(resume=run_id, repair=True)
    assert (caught.value.exit_code, caught.value.where) == (2, "--repair")
    assert client.hgetall(keys.state(keys.segment(2))) == before


def test_a_run_that_a_newer_one_replaced_is_not_repaired(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    run_id = fail(hand_over, client, 2, **SIZES)
    hand_over.produce(**SIZES)
    with pytest.raises(SupersededError) as caught:
        hand_over.produce(resume=run_id, repair=True)
    assert caught.value.exit_code == 75
    assert stored_values(client, keys, segments=4) == numbers(40)


def test_a_verdict_on_an_earlier_attempt_than_the_published_one_is_no_reason(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    """A repair was killed before server-b had read what it wrote."""
    run_id = fail(hand_over, client, 2, **SIZES)
    hand_over.produce(resume=run_id, repair=True)
    assert hand_over.produce(resume=run_id, repair=True).attempts == 0
    assert hand_over.consume(run_id=run_id).verdict == "verified"


def test_on_the_command_line(server: Server, namespace: str) -> None:
    ended = run_program("server-a", "run", "--repair", server=server, namespace=namespace)
    assert (ended.exit_code, ended.stderr.count("\n")) == (2, 1)
    assert "--resume RUN_ID" in ended.stderr
