"""Runs that a follower sees out of the ordinary: superseded, abandoned, or written again after they were reported."""

from __future__ import annotations

import os
from contextlib import closing
from typing import Any

import pytest

from server_b.follow import checkpoint
from shared.errors import NotFinishedError
from shared.signal import Signal
from shared.state import SegmentState
from shared.stopping import StopRequest
from tests.stage.faulty_link import FaultyLink
from tests.stage.following import Following, reports_of, wait_for_report
from tests.stage.hand_over_in_process import DIGEST, entries_of
from tests.stage.programs import StartProgram, run_program
from tests.stage.raw import call
from tests.stage.replicas import ReplicatedPair
from tests.stage.servers import connect
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]

SEGMENTS = {"count": 30, "segment_values": 10}


def test_a_superseded_run_ends_a_follower_as_it_ends_the_group(following: Following, pair: ReplicatedPair) -> None:
    old = following.produce(**SEGMENTS)
    new = following.produce(**SEGMENTS)

    ends = [
        run_program("server-b", "run", "--run", old, "--json", "--wait-s", "10", server=server, env=following.env)
        for server in (pair.primary, pair.replica)
    ]

    assert [ended.exit_code for ended in ends] == [75, 75]
    for ended, mode in zip(ends, ("group", "follow"), strict=True):
        report = ended.json()
        assert (report["run_id"], report["verdict"], report["mode"]) == (old, "superseded", mode)
        assert report["reason"] == f"segment 1: by run {new}"


def test_a_follower_that_serves_reports_superseded_runs_too(
    following: Following, pair: ReplicatedPair, start_program: StartProgram
) -> None:
    run_ids = [following.produce(**SEGMENTS) for _ in range(2)]

    follower = start_program("server-b", "run", "--json", server=pair.replica, env=following.env)
    wait_for_report(follower, run_ids[1])

    found = [(report["run_id"], report["verdict"]) for report in reports_of(follower)]
    assert found == list(zip(run_ids, ("superseded", "verified"), strict=True))


def abandon(following: Following, pair: ReplicatedPair) -> str:
    """Have a producer of two segments end after its first signal, and return its run id."""
    with FaultyLink(pair.primary.port) as link, closing(StopRequest()) as stop:
        link.at(b"XADD", stop.request)
        with pytest.raises(NotFinishedError):
            following.primary.produce(url=link.url, stop=stop, count=20, segment_values=10)
    run_id = call(pair.primary, "HGET", "{biglist}:state", "run_id").decode()
    assert call(pair.primary, "XLEN", "signals") == 1
    return str(run_id)


@pytest.mark.parametrize("segment_values", [5, 10, 20])
def test_an_abandoned_run_does_not_hold_the_checkpoint(
    following: Following, pair: ReplicatedPair, monkeypatch: pytest.MonkeyPatch, segment_values: int
) -> None:
    """Held there, it would have a restart read runs again that the checkpoint has no room for any more."""
    monkeypatch.setattr(checkpoint, "MAX_REPORTED", 2)
    abandon(following, pair)
    run_ids = []
    for _ in range(4):
        run_ids.append(following.produce(count=20, segment_values=segment_values))
        assert following.follow().verdict == "verified"
    following.replica.logged.entries.clear()

    with pytest.raises(NotFinishedError):
        following.follow(wait_s=0.0)

    assert [report.run_id for report in following.replica.reports] == run_ids
    assert "run complete" not in following.replica.events()
    assert list(following.checkpoint()["reported"]) == run_ids[-2:]


def test_an_abandoned_run_that_gets_complete_all_the_same_is_reported(
    following: Following, pair: ReplicatedPair, start_program: StartProgram
) -> None:
    """As by a producer that was held up: its signal comes after a newer run was verified."""
    abandoned = abandon(following, pair)
    follower = start_program("server-b", "run", "--json", server=pair.replica, env=following.env)
    wait_until(lambda: "following a replica" in follower.errors(), description="the follower follows")
    newest = following.produce(count=20)
    wait_for_report(follower, newest)

    late = Signal(abandoned, abandoned, segment=2, segments=2, count=10, digest=DIGEST)
    with connect(pair.primary) as client:
        client.hset("{biglist:2}:state", mapping=SegmentState(newest, newest, 0, "").encode())
        client.xadd("signals", late.encode())

    assert wait_for_report(follower, abandoned)["verdict"] == "superseded"


IMPATIENT = ("--settle-s", "0", "--max-deliveries", "1")


@pytest.mark.parametrize("segments", [1, 3])
def test_a_segment_that_is_written_again_after_the_report_has_the_run_reported_again(
    following: Following, pair: ReplicatedPair, start_program: StartProgram, segments: int
) -> None:
    """As the audit does after a failover that lost it; the group does the same."""
    consumers = [
        start_program("server-b", "run", "--json", *IMPATIENT, server=server, env=following.env)
        for server in (pair.primary, pair.replica)
    ]
    for consumer, event in zip(consumers, ("waiting for signals", "following a replica"), strict=True):
        wait_until(lambda: event in consumer.errors(), description=f"server-b says {event}")  # noqa: B023 - at once

    run_id = following.produce_with_a_loss(
        reported=lambda: all(reports_of(consumer) for consumer in consumers), count=30, segment_values=30 // segments
    )

    for consumer in consumers:
        second = wait_for_report(consumer, run_id, nth=2)
        first = wait_for_report(consumer, run_id)
        assert (first["verdict"], first["reason"]) == ("failed", "segment 1: never arrived")
        assert (first["witness"]["kind"], first["witness"]["position"]) == ("never_arrived", None)
        assert (second["verdict"], second["count"], second["segments"]) == ("verified", 30, segments)
    assert following.checkpoint()["reported"].keys() == {run_id}


@pytest.mark.parametrize("segments", [1, 3])
def test_a_segment_that_is_written_again_is_found_by_a_follower_that_is_started_again(
    following: Following, pair: ReplicatedPair, start_program: StartProgram, segments: int
) -> None:
    first = start_program("server-b", "run", "--once", "--json", *IMPATIENT, server=pair.replica, env=following.env)
    wait_until(lambda: "following a replica" in first.errors(), description="the follower follows")

    run_id = following.produce_with_a_loss(
        reported=lambda: not first.is_running, count=30, segment_values=30 // segments
    )

    assert first.wait(60) == 65
    report = following.follow()
    assert (report.run_id, report.verdict, report.segments) == (run_id, "verified", segments)
    with pytest.raises(NotFinishedError):
        following.follow(wait_s=0.0)
    assert len(following.replica.reports) == 1


def test_what_a_kill_has_left_beside_the_checkpoint_is_removed_at_the_next_start(following: Following) -> None:
    run_id = following.produce()
    following.follow()
    (path,) = following.state_directory.glob("*.json")
    left = path.with_name(f"{path.name}.a1b2c3d4.new")
    left.touch()
    os.utime(left, (0, 0))
    with pytest.raises(NotFinishedError):
        following.follow(wait_s=0.0)
    assert following.checkpoint()["reported"].keys() == {run_id}


@pytest.mark.parametrize("other", [{"digest": DIGEST}, {"count": 9}, {"segments": 9}])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_signal_that_was_damaged_on_the_way_changes_no_verdict(
    following: Following, pair: ReplicatedPair, *, other: dict[str, Any], is_first: bool
) -> None:
    """Before the right one or behind it: the verdict on what is published is the one that is reported."""
    run_id = following.produce(**SEGMENTS)
    with connect(pair.primary) as client:
        entries = [dict(fields) for _, fields in entries_of(client, "signals")]
        damaged = {**entries[0], **{name.encode(): str(value).encode() for name, value in other.items()}}
        client.delete("signals")
        for fields in (damaged, *entries) if is_first else (entries[0], damaged, *entries[1:]):
            client.xadd("signals", fields)
    following.wait_until_in_step()
    report = following.follow()
    assert (report.run_id, report.verdict, report.count) == (run_id, "verified", 30)
