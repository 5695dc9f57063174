"""While a follower waits for one list, it goes on with what is behind it, and its checkpoint passes nothing by."""

from __future__ import annotations

from typing import Any

import pytest

from server_b.segment.examiner import NEVER_ARRIVED
from shared.errors import NotFinishedError
from shared.keys import Keyspace
from shared.signal import Signal
from tests.stage.faulty_link import FaultyLink
from tests.stage.following import Following, reports_of, wait_for_report
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN, entries_of
from tests.stage.programs import StartProgram
from tests.stage.replicas import ReplicatedPair
from tests.stage.servers import connect
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]

LOST = 50
KEYS = Keyspace("")
LATER = "20991231T235959999Z-abcdef"


def _signal_without_lists(pair: ReplicatedPair, *, segments: int = LOST, first: int = 2) -> None:
    with connect(pair.primary) as client:
        for number in range(first, segments + first):
            client.xadd("signals", Signal(OLDER, RUN, number, segments + first - 1, 10, DIGEST).encode())


def _told(following: Following) -> int:
    return following.replica.events().count("list not there yet, taking others meanwhile")


@pytest.mark.parametrize("settle_s", [9.0, 60.0, 3_600.0])
def test_missing_lists_hold_back_no_other(following: Following, pair: ReplicatedPair, settle_s: float) -> None:
    _signal_without_lists(pair)
    run_id = following.produce(count=30, segment_values=10)
    report = following.follow(settle_s=settle_s)
    assert (report.run_id, report.verdict) == (run_id, "verified")
    assert _told(following) == LOST - 2  # the run's own segments 2 and 3 stand where two of them would be


def test_lists_that_never_come_do_not_begin_the_wait_anew(following: Following, pair: ReplicatedPair) -> None:
    _signal_without_lists(pair)
    following.wait_until_in_step()
    with pytest.raises(NotFinishedError) as caught:
        following.follow(settle_s=0.5, max_deliveries=2, wait_s=10.0)
    assert caught.value.expected == "a complete run within 10 s"
    assert _told(following) == LOST  # all together: one after the other they would take fifty seconds


def test_lists_that_never_come_are_given_up_together(following: Following, pair: ReplicatedPair) -> None:
    _signal_without_lists(pair, first=1)
    following.wait_until_in_step()
    with pytest.raises(Exception, match=NEVER_ARRIVED):
        following.follow(settle_s=0.2, max_deliveries=2)
    (report,) = following.replica.reports
    assert (report.run_id, report.verdict, report.segments) == (OLDER, "failed", LOST)


@pytest.mark.parametrize("fault", [b"", b"XREAD", b"HMGET", b"LRANGE"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_list_that_comes_late_is_read_once_it_is_there(
    following: Following, pair: ReplicatedPair, *, number: int, fault: bytes
) -> None:
    run_id = following.produce(count=20, segment_values=10)
    names = (KEYS.segment(number), KEYS.state(KEYS.segment(number)))
    with connect(pair.primary) as client, FaultyLink(pair.replica.port) as link:
        away: dict[str, Any] = {name: client.dump(name) for name in names}
        client.delete(*names)
        following.wait_until_in_step()

        def come() -> None:
            for name, dumped in away.items():
                client.restore(name, 0, dumped)

        link.at(names[1].encode(), come, nth=4)
        if fault:
            link.lose_reply(fault, nth=2)
        report = following.follow(url=link.url, max_deliveries=1, settle_s=60.0)
    assert (report.run_id, report.verdict, report.count) == (run_id, "verified", 20)


def _announce_an_attempt_to_come(following: Following, pair: ReplicatedPair) -> str:
    """Have a run of three segments signalled whose second one is announced under a later attempt before its own."""
    run_id = following.produce(count=30, segment_values=10)
    with connect(pair.primary) as client:
        entries: list[dict[Any, Any]] = [dict(fields) for _, fields in entries_of(client, "signals")]
        client.delete("signals")
        for fields in (entries[0], entries[1] | {b"attempt": LATER.encode()}, *entries[1:]):
            client.xadd("signals", fields)
    following.wait_until_in_step()
    return run_id


def _let_it_come(following: Following, pair: ReplicatedPair) -> None:
    with connect(pair.primary) as client:
        client.hset("{biglist:2}:state", "attempt", LATER)
    following.wait_until_in_step()


def test_the_checkpoint_stays_before_a_signal_whose_list_is_missing(following: Following, pair: ReplicatedPair) -> None:
    run_id = _announce_an_attempt_to_come(following, pair)
    newer = following.follow(settle_s=60.0)
    assert (newer.run_id, newer.verdict) == (run_id, "verified")
    with connect(pair.primary) as client:
        first, announced, *_ = [entry_id for entry_id, _ in entries_of(client, "signals")]
    assert following.checkpoint()["after"] == first != announced
    _let_it_come(following, pair)
    assert following.follow().run_id == run_id
    assert following.checkpoint()["reported"] == {run_id: LATER}


def test_a_follower_that_serves_reports_again_when_that_list_has_come(
    following: Following, pair: ReplicatedPair, start_program: StartProgram
) -> None:
    run_id = _announce_an_attempt_to_come(following, pair)
    follower = start_program("server-b", "run", "--json", server=pair.replica, env=following.env)
    assert wait_for_report(follower, run_id)["verdict"] == "verified"
    _let_it_come(following, pair)
    assert wait_for_report(follower, run_id, nth=2)["verdict"] == "verified"
    wait_until(lambda: following.checkpoint()["reported"] == {run_id: LATER}, description="the checkpoint is moved")
    assert len(reports_of(follower)) == 2
