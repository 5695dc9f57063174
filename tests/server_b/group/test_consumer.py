"""The group's part in a hand-over: whose entry it is, in which order entries are taken, and what a verdict rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from server_b.group import entries as entry_source
from server_b.group import signal_group
from server_b.group.dead_letters import DeadLetters
from server_b.group.delivery import Delivery
from server_b.group.settling import EntrySettler
from server_b.report.standing import read_standing
from server_b.segment.chunks import chunk_size
from server_b.segment.look import SegmentLook
from shared.endpoint.endpoint import Endpoint, ServerClock
from shared.errors import NotFinishedError, VerificationFailedError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.verdict import SegmentVerdict
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import DIGEST, NEWER, OLDER, RUN, Group, HandOver, entries_of

if TYPE_CHECKING:
    import redis


def _examined(hand_over: HandOver) -> list[int]:
    return [entry["segment"] for entry in hand_over.logged.entries if entry["event"] == "segment examined"]


def test_own_pending_entries_come_first_then_those_of_the_silent_then_new_ones(
    hand_over: HandOver, group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over.produce(count=70, segment_values=10)
    for name in ("silent", "b", "b", "silent", "b"):
        assert group.member(name).read_new(block_ms=1)
    monkeypatch.setattr(entry_source, "CLAIM_EVERY_S", 0.0)
    assert hand_over.consume(claim_idle_ms=1).verdict == "verified"
    assert _examined(hand_over) == [2, 3, 5, 1, 4, 6, 7]
    assert group.pending() == {}
    assert group.names() == {"nobody", "silent"} - {"nobody"}


def test_an_entry_is_not_claimed_from_a_consumer_that_is_not_silent(hand_over: HandOver, group: Group) -> None:
    hand_over.produce(count=20, segment_values=10)
    assert group.member("busy").read_new(block_ms=1)
    with pytest.raises(NotFinishedError):
        hand_over.consume(claim_idle_ms=60_000, wait_s=0.5)
    assert _examined(hand_over) == [2]
    assert group.pending() == {"busy": 1}
    assert hand_over.consume(claim_idle_ms=1).verdict == "verified"


def test_a_claim_is_renewed_only_while_it_is_ours_and_is_no_delivery(
    hand_over: HandOver, group: Group, endpoint: Endpoint, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    slow, quick = group.member("slow"), group.member("quick")
    entry = slow.read_new(block_ms=1)
    assert entry is not None
    assert slow.renew(entry)
    assert slow.renew(entry)
    assert group.deliveries() == [1]
    assert quick.claim(idle_ms=60_000, after="0-0")[1] is None
    claimed = quick.claim(idle_ms=0, after="0-0")[1]
    assert claimed is not None
    assert not slow.renew(entry)
    slow.renew(entry, idle_ms=60_000)
    assert group.pending() == {"quick": 1}
    assert group.deliveries() == [2]
    EntrySettler(endpoint, keys, "quick").acknowledge(claimed)
    assert not quick.renew(claimed)


def test_an_entry_that_is_given_back_can_be_claimed_at_once(hand_over: HandOver, group: Group) -> None:
    hand_over.produce(count=10)
    entry = group.member("one").read_new(block_ms=1)
    assert entry is not None
    group.member("one").renew(entry, idle_ms=3_600_000)
    assert group.member("two").claim(idle_ms=3_600_000, after="0-0")[1] is not None
    assert group.pending() == {"two": 1}


@pytest.mark.parametrize("claimed", [True, False])
def test_a_pending_entry_that_was_trimmed_is_let_go(
    *, claimed: bool, hand_over: HandOver, group: Group, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    assert group.member("silent" if claimed else "b").read_new(block_ms=1)
    client.xtrim(keys.signals(), maxlen=0, approximate=False)
    summary = hand_over.produce(count=10)
    assert hand_over.consume(claim_idle_ms=1).run_id == summary.run_id
    assert group.pending() == {}


def _dead_reasons(endpoint: Endpoint, keys: Keyspace) -> list[str]:
    return [letter.reason for letter in DeadLetters(endpoint, keys).list_letters()]


def test_a_list_that_never_arrives_fails_after_so_many_deliveries(
    hand_over: HandOver, group: Group, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    client.xadd(keys.signals(), Signal(OLDER, RUN, 1, 1, 10, DIGEST).encode())  # type: ignore[arg-type]
    with pytest.raises(VerificationFailedError):
        hand_over.consume(settle_s=0, claim_idle_ms=1, max_deliveries=3)
    assert hand_over.reports[-1].reason == "segment 1: never arrived"
    assert hand_over.events().count("list not there yet, left pending") == 2
    assert _dead_reasons(endpoint, keys) == ["never arrived"]
    assert group.pending() == {}


def test_an_entry_whose_consumers_all_died_is_given_up(
    hand_over: HandOver, group: Group, endpoint: Endpoint, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    assert group.member("dead 0").read_new(block_ms=1)
    for number in range(1, 5):
        assert group.member(f"dead {number}").claim(idle_ms=0, after="0-0")[1]
    with pytest.raises(VerificationFailedError):
        hand_over.consume(claim_idle_ms=1, max_deliveries=5)
    assert "delivered 5 times" in hand_over.reports[-1].reason
    assert len(_dead_reasons(endpoint, keys)) == 1


def test_a_run_that_a_newer_one_replaced_is_superseded_and_passed_over(
    hand_over: HandOver, endpoint: Endpoint, keys: Keyspace
) -> None:
    older = hand_over.produce(count=30, segment_values=10)
    newer = hand_over.produce(count=10)
    assert hand_over.consume().run_id == newer.run_id
    assert len(hand_over.reports) == 1
    verdicts = read_standing(endpoint, keys, older.run_id).verdicts
    assert [verdicts[number].reason for number in (1, 2, 3)] == [f"by run {newer.run_id}"] * 3
    with pytest.raises(NotFinishedError) as caught:
        hand_over.consume(run_id=older.run_id)
    assert "superseded" in caught.value.got


def test_a_signal_of_an_earlier_attempt_gets_no_verdict(
    hand_over: HandOver, link: FaultyLink, client: redis.Redis, endpoint: Endpoint, keys: Keyspace
) -> None:
    link.at(b"XRANGE", lambda: client.delete(keys.segment(1), keys.state(keys.segment(1))))
    summary = hand_over.produce(url=link.url, count=10)
    attempts = [Signal.decode(fields).attempt for _, fields in entries_of(client, keys.signals())]
    assert hand_over.consume().run_id == summary.run_id
    assert attempts[0] < attempts[1] == read_standing(endpoint, keys, summary.run_id).verdicts[1].attempt
    assert _examined(hand_over) == [1]


def test_a_later_attempts_verdict_replaces_an_earlier_ones_and_never_the_other_way(
    group: Group, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    def verdict(attempt: str, kind: str) -> SegmentVerdict:
        return SegmentVerdict(kind, attempt, segment=1, segments=2, count=3, digest=DIGEST)

    def is_standing(recorded: SegmentVerdict) -> bool:
        client.xadd(keys.signals(), {"any": "entry"})
        entry = group.member("b").read_new(block_ms=1)
        assert entry is not None
        signal = Signal(OLDER, recorded.attempt, 1, 2, 3, DIGEST)
        look = SegmentLook(0, None, None, chunk_size(None))
        delivery = Delivery(entry, signal, 1, None, look, ServerClock())
        written = EntrySettler(endpoint, keys, "b").record(delivery, recorded, retain_ms=90_000)
        assert written.fields == 1
        assert group.pending() == {}
        return written.is_standing

    assert is_standing(verdict(RUN, "failed"))
    assert not is_standing(verdict(RUN, "verified"))
    assert not is_standing(verdict(OLDER, "verified"))
    assert read_standing(endpoint, keys, OLDER).verdicts[1] == verdict(RUN, "failed")
    assert is_standing(verdict(NEWER, "verified"))
    assert read_standing(endpoint, keys, OLDER).verdicts[1] == verdict(NEWER, "verified")
    assert 0 < client.pttl(keys.result(OLDER)) <= 90_000


def test_a_new_entry_of_a_complete_run_is_acknowledged_silently(
    hand_over: HandOver, group: Group, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    hand_over.consume()
    client.xadd(keys.signals(), entries_of(client, keys.signals())[0][1])  # type: ignore[arg-type]
    with pytest.raises(NotFinishedError):
        hand_over.consume(wait_s=0.3)
    assert len(hand_over.reports) == 1
    assert group.pending() == {}


def test_a_name_is_removed_unless_something_is_pending_with_it(
    hand_over: HandOver, group: Group, endpoint: Endpoint, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over.produce(count=20, segment_values=10)
    assert group.member("holds one").read_new(block_ms=1)
    entry = group.member("holds none").read_new(block_ms=1)
    assert entry is not None
    group.member("holds none").renew(entry, idle_ms=0)
    monkeypatch.setattr(signal_group, "SILENT_CONSUMER_MS", -1)
    EntrySettler(endpoint, keys, "holds none").acknowledge(entry)
    with pytest.raises(NotFinishedError):
        hand_over.consume(claim_idle_ms=60_000, wait_s=0.2)
    assert group.names() == {"holds one"}
    assert group.pending() == {"holds one": 1}
