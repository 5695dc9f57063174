"""Each rare flow of server-b, provoked by itself: it happens, and the log says so; see test_rare_flows_of_a.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared.errors import NotFinishedError, VerificationFailedError
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP, Signal
from tests.stage.faulty_link import FaultyLink, resp
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN, Group, HandOver, entries_of
from tests.stage.programs import StartProgram
from tests.stage.raw import call
from tests.stage.servers import Kind, NewServer
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis

COUNT = 2_500
# a value of the first chunk alone, which the server has read when it comes; B has not the others yet
IN_FIRST_CHUNK = b"\r\n%d\r\n" % (COUNT - 100)


def told(hand_over: HandOver, event: str) -> list[dict[str, Any]]:
    """Return the entries of the log with an event."""
    return [dict(entry) for entry in hand_over.logged.entries if entry["event"] == event]


def verdicts_told(hand_over: HandOver) -> list[str]:
    """Return the verdicts on segments that the log says were given."""
    return [entry["verdict"] for entry in told(hand_over, "segment examined")]


def test_an_entry_is_claimed(hand_over: HandOver, group: Group) -> None:
    hand_over.produce(count=COUNT)
    assert group.member("silent").read_new(block_ms=None) is not None
    assert hand_over.consume(claim_idle_ms=1).verdict == "verified"
    assert [entry["claimed_from"] for entry in told(hand_over, "entry claimed")] == ["silent"]


def test_a_renewal_is_refused(
    hand_over: HandOver, group: Group, client: redis.Redis, keys: Keyspace, link: FaultyLink
) -> None:
    fields: Any = Signal(OLDER, RUN, 1, 1, 10, DIGEST).encode()
    entry_id: Any = client.xadd(keys.signals(), fields)
    renewal = resp(CONSUMER_GROUP, "b", entry_id.decode())
    link.at(renewal, lambda: group.member("c").claim(idle_ms=0, after="0-0"))
    with pytest.raises(NotFinishedError):
        hand_over.consume(url=link.url, settle_s=0.1, wait_s=1.0)  # no list comes: the end of the wait
    assert "claimed by another consumer" in [entry["reason"] for entry in told(hand_over, "entry given back")]


def test_a_verdict_is_found_standing(hand_over: HandOver, client: redis.Redis, keys: Keyspace) -> None:
    hand_over.produce(count=20, segment_values=10)
    (_, first), (last_id, last) = entries_of(client, keys.signals())
    for fields in (first, last):  # the first signal twice, before the last one
        client.xadd(keys.signals(), fields)  # type: ignore[arg-type]
    client.xdel(keys.signals(), last_id)
    assert hand_over.consume().verdict == "verified"
    assert [entry["segment"] for entry in told(hand_over, "verdict stands already")] == [1]


def test_a_verdict_is_replaced_by_one_on_a_later_attempt(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    run_id = hand_over.produce(count=COUNT).run_id
    client.lset(keys.segment(1), 0, "0")
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    hand_over.produce(resume=run_id, repair=True)
    assert hand_over.consume(run_id=run_id).verdict == "verified"
    assert [entry["was"] for entry in told(hand_over, "verdict replaced")] == ["failed"]


def test_a_run_is_superseded_before_it_is_read(hand_over: HandOver) -> None:
    hand_over.produce(count=COUNT)
    newer = hand_over.produce(count=COUNT).run_id
    assert hand_over.consume().run_id == newer
    assert verdicts_told(hand_over) == ["superseded", "verified"]
    assert not told(hand_over, "list changed while it was read")


def test_a_run_is_superseded_while_it_is_read(hand_over: HandOver, link: FaultyLink) -> None:
    hand_over.produce(count=COUNT)
    link.at_reply(IN_FIRST_CHUNK, lambda: hand_over.produce(count=COUNT))
    report = hand_over.consume(url=link.url)
    assert verdicts_told(hand_over) == ["superseded", "verified"]
    assert (report.verdict, len(told(hand_over, "list changed while it was read"))) == ("verified", 1)


def test_a_run_is_superseded_after_it_was_read(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace, link: FaultyLink
) -> None:
    older = hand_over.produce(count=2_000, segment_values=1_000).run_id

    def lose_and_replace() -> None:
        client.delete(keys.segment(2), keys.state(keys.segment(2)))
        hand_over.produce(count=1_000)

    link.at(resp("HMGET", keys.result(older)), lose_and_replace, nth=2)  # the look before the report
    report = hand_over.consume(url=link.url)
    assert verdicts_told(hand_over) == ["verified"] * 3
    assert [entry["verdict"] for entry in told(hand_over, "run complete")] == ["superseded", "verified"]
    assert report.run_id > older


def test_the_result_changes_while_a_verdict_is_recorded(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace, link: FaultyLink
) -> None:
    result = keys.result(hand_over.produce(count=COUNT).run_id)

    def change() -> None:
        client.hset(result, "2", "x")
        client.hdel(result, "2")

    link.at(resp("HSET", result), change)
    assert hand_over.consume(url=link.url).verdict == "verified"
    assert len(told(hand_over, "verdict recorded anew, others had changed the result")) == 1


@pytest.mark.redis_server
def test_a_consumer_follows_and_comes_back(
    new_server: NewServer, server_kind: Kind, start_program: StartProgram, tmp_path: Path
) -> None:
    server = new_server(server_kind)
    state = {"XDG_STATE_HOME": str(tmp_path)}
    consumer = start_program("server-b", "run", "--json", server=server, env=state)
    wait_until(lambda: "waiting for signals" in consumer.errors(), description="the consumer serves")
    call(server, "REPLICAOF", "127.0.0.1", 1)
    wait_until(lambda: "following a replica" in consumer.errors(), description="the consumer follows")
    call(server, "REPLICAOF", "NO", "ONE")
    wait_until(
        lambda: "endpoint takes writes again, serving the group" in consumer.errors(), description="it serves again"
    )
