"""What `status` says at each point of a run's life, and whether that counts as wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from server_b.group.entry import Entry
from server_b.group.settling import EntrySettler
from shared.endpoint.endpoint import Endpoint
from shared.errors import VerificationFailedError
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP, Signal
from shared.status.command import status_text
from shared.status.status import Status, read_status
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import DIGEST, RUN, Group, HandOver
from tests.stage.status_checks import DONE, UNFINISHED, WRONG, require_status, run_stopped_at

if TYPE_CHECKING:
    import redis


def look(endpoint: Endpoint, keys: Keyspace) -> Status:
    """Return what `server-a status` shows; server-b does not scan for runs that nobody was told of."""
    return read_status(endpoint, keys, is_scanned=True)


def test_nothing_has_been_here(endpoint: Endpoint, keys: Keyspace) -> None:
    status = look(endpoint, keys)
    require_status(status, UNFINISHED)
    assert (status.runs, status.is_empty) == ([], True)
    text = status_text(status)
    for words in ("Nothing of a hand-over is here", "database number", "--namespace", "server-a check --peer-url"):
        assert words in text


def test_a_consumer_that_waits_for_the_first_run(group: Group, endpoint: Endpoint, keys: Keyspace) -> None:
    assert group.names() == set()
    status = look(endpoint, keys)
    require_status(status, UNFINISHED)
    assert "No run is here yet, though a server-b has been." in status_text(status)


def test_a_run_stopped_before_its_first_signal_is_shown_with_what_resumes_it(
    hand_over: HandOver, link: FaultyLink, endpoint: Endpoint, keys: Keyspace
) -> None:
    run_id = run_stopped_at(b"LPUSHX", hand_over, link)
    status = look(endpoint, keys)
    require_status(status, UNFINISHED, f"server-a run --resume {run_id}", "verdicts on 0 of 3")
    assert [(run.run_id, run.count, run.segments, run.published) for run in status.runs] == [(run_id, 300_000, 3, 0)]
    assert read_status(endpoint, keys).runs == []  # to server-b, which does not scan
    hand_over.produce(resume=run_id)
    hand_over.consume()
    require_status(look(endpoint, keys), DONE)


def test_a_run_stopped_in_the_middle(hand_over: HandOver, link: FaultyLink, endpoint: Endpoint, keys: Keyspace) -> None:
    run_id = run_stopped_at(b"XADD", hand_over, link)
    status = look(endpoint, keys)
    require_status(status, UNFINISHED, f"--resume {run_id}", "verdicts on 0 of 3", "1 signals not delivered")
    assert [(run.run_id, run.published, run.is_finished) for run in status.runs] == [(run_id, 1, False)]


def test_a_newer_run_that_was_stopped_early_is_the_one_that_is_judged(
    hand_over: HandOver, link: FaultyLink, endpoint: Endpoint, keys: Keyspace
) -> None:
    older = hand_over.produce(count=10)
    hand_over.consume()
    require_status(look(endpoint, keys), DONE)
    run_id = run_stopped_at(b"LPUSHX", hand_over, link)
    status = look(endpoint, keys)
    require_status(status, UNFINISHED, f"--resume {run_id}", "verdicts on 0 of 3")
    assert [run.run_id for run in status.runs] == [run_id, older.run_id]


def test_a_run_whose_record_is_gone_is_left_out_unless_it_was_signalled(
    hand_over: HandOver, link: FaultyLink, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    client.delete(keys.run(run_stopped_at(b"LPUSHX", hand_over, link)))
    assert look(endpoint, keys).runs == []
    summary = hand_over.produce(count=10)
    client.delete(keys.run(summary.run_id))
    assert [(run.run_id, run.count, run.segments) for run in look(endpoint, keys).runs] == [(summary.run_id, 0, 1)]


def test_a_run_that_waits_for_its_consumer_and_one_that_was_verified(
    hand_over: HandOver, endpoint: Endpoint, keys: Keyspace
) -> None:
    summary = hand_over.produce(count=20, segment_values=10)
    status = look(endpoint, keys)
    require_status(status, UNFINISHED, "verdicts on 0 of 2 segments", "2 signals not delivered")
    assert (status.group.is_there, status.group.lag) == (False, 2)
    hand_over.consume()
    status = look(endpoint, keys)
    require_status(status, DONE)
    assert [(run.run_id, run.verdict, run.verdicts) for run in status.runs] == [(summary.run_id, "verified", 2)]
    assert (status.group.lag, status.group.pending) == (0, 0)


def test_it_is_said_where_no_consumer_has_taken_part(
    hand_over: HandOver, endpoint: Endpoint, keys: Keyspace, client: redis.Redis
) -> None:
    """It may be that one has verified everything on a replica; nothing here tells."""
    hand_over.produce(count=10)
    words = "1 signals not delivered to a server-b yet"
    nobody = "none has taken part in the group here, and one that follows a replica keeps its verdicts to itself"
    require_status(look(endpoint, keys), UNFINISHED, "verdicts on 0 of 1", f"{words}; {nobody}")
    client.xgroup_create(keys.signals(), CONSUMER_GROUP, id="0")
    status = look(endpoint, keys)
    require_status(status, UNFINISHED, "verdicts on 0 of 1", words)
    assert nobody not in status_text(status)


def test_an_entry_that_nobody_acknowledged(
    hand_over: HandOver, group: Group, endpoint: Endpoint, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    assert group.member("gone").read_new(block_ms=100) is not None
    status = look(endpoint, keys)
    require_status(status, UNFINISHED, "verdicts on 0 of 1", "1 signals delivered and not acknowledged")
    assert [(consumer["name"], consumer["pending"]) for consumer in status.group.consumers] == [("gone", 1)]


def test_entries_not_delivered_are_found_where_the_server_does_not_know_the_lag(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    """XDEL of an entry that nobody was given makes the lag unknown."""
    hand_over.produce(count=10)
    hand_over.consume()
    deleted, left = (client.xadd(keys.signals(), {"number": number}) for number in (1, 2))
    client.xdel(keys.signals(), deleted)
    status = look(endpoint, keys)
    assert (status.group.lag, status.group.has_undelivered) == (None, True)
    require_status(status, UNFINISHED, "an unknown number of signals not delivered to a server-b yet")
    assert "Signals: lag unknown, 0 pending" in status_text(status)
    client.xdel(keys.signals(), left)
    require_status(look(endpoint, keys), DONE)


def test_a_failed_run_and_its_dead_letter(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    client.lset(keys.segment(1), 3, "x")
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    require_status(look(endpoint, keys), WRONG, "failed: segment 1: changed")
    EntrySettler(endpoint, keys, "b").dead_letter(Entry("1-1", {}), "r")
    require_status(look(endpoint, keys), WRONG, "failed", "1 dead letters")


def test_a_list_that_was_damaged_after_it_was_verified(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=20, segment_values=10)
    hand_over.consume()
    client.rpop(keys.segment(2))
    require_status(
        look(endpoint, keys),
        WRONG,
        f"{keys.segment(2)} has 9 values where its state says 10",
    )
    client.delete(keys.state(keys.segment(1)))
    require_status(look(endpoint, keys), WRONG, f"{keys.segment(1)} is not that of run", "has 9 values")


def test_only_the_newest_ten_runs_are_shown(endpoint: Endpoint, client: redis.Redis, keys: Keyspace) -> None:
    run_ids = [f"20200101T0000000{number:02d}Z-abcdef" for number in range(12)]
    for run_id in run_ids:
        client.xadd(keys.signals(), Signal(run_id, RUN, 1, 1, 10, DIGEST).encode())  # type: ignore[arg-type]
    client.xadd(keys.signals(), {"not": "a signal"})
    assert [run.run_id for run in look(endpoint, keys).runs] == run_ids[:1:-1]
