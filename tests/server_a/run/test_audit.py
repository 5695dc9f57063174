"""What was acknowledged and is gone when the run ends: it is written again, and counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from server_a.run.loss_limit import MIN_MENDED
from shared.errors import NotFinishedError, SupersededError, WrongKeyError
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver, entries_of, list_keys, list_values, numbers, stored_values

if TYPE_CHECKING:
    import redis

COUNT, SEGMENT = 5_500, 1_000
Damage = Callable[["redis.Redis", Keyspace], object]
# The first look of the audit: one batch of HMGET, TIME, LLEN and XRANGE.
AUDIT = b"XRANGE"


def _lose_segments(*numbers: int, state: bool = True) -> Damage:
    def lose(client: redis.Redis, keys: Keyspace) -> None:
        for number in numbers:
            key = keys.segment(number)
            client.delete(key)
            if state:
                client.delete(keys.state(key))

    return lose


def _lose_a_value(client: redis.Redis, keys: Keyspace) -> None:
    client.rpop(keys.segment(4))


def _lose_signals(*numbers: int) -> Damage:
    def lose(client: redis.Redis, keys: Keyspace) -> None:
        ids = [entry_id for entry_id, _ in entries_of(client, keys.signals())]
        client.xdel(keys.signals(), *[ids[number - 1] for number in numbers])

    return lose


def _lose_run(client: redis.Redis, keys: Keyspace) -> None:
    client.delete(*client.keys(f"{keys.prefix}run:*"))


def _lose_stream(client: redis.Redis, keys: Keyspace) -> None:
    client.delete(keys.signals())


def _lose_everything(client: redis.Redis, keys: Keyspace) -> None:
    client.delete(*client.keys(f"*{keys.prefix}*"))


@pytest.mark.parametrize(
    ("damage", "lost", "rewritten"),
    [
        pytest.param(_lose_segments(2), 1_000, 1, id="segment"),
        pytest.param(_lose_segments(1, 3, 6), 2_500, 3, id="segments"),
        pytest.param(_lose_segments(5, state=False), 1_000, 1, id="list"),
        pytest.param(_lose_a_value, 1_000, 1, id="value"),
        pytest.param(_lose_signals(3), 0, 0, id="signal"),
        pytest.param(_lose_signals(1, 2, 6), 0, 0, id="signals"),
        pytest.param(_lose_stream, 0, 0, id="stream"),
        pytest.param(_lose_run, 0, 0, id="run"),
        pytest.param(_lose_everything, 5_500, 6, id="everything"),
    ],
)
def test_what_is_gone_is_written_again_and_counted(
    *,
    damage: Damage,
    lost: int,
    rewritten: int,
    hand_over: HandOver,
    link: FaultyLink,
    keys: Keyspace,
    client: redis.Redis,
) -> None:
    link.at(AUDIT, lambda: damage(client, keys))
    summary = hand_over.produce(url=link.url, count=COUNT, segment_values=SEGMENT)
    assert (summary.lost_acknowledged, summary.attempts) == (lost, 6 + rewritten)
    assert "acknowledged writes lost" in hand_over.events()
    assert client.hget(keys.run(summary.run_id), "count") == b"5500"
    assert 0 < client.ttl(keys.run(summary.run_id)) <= 7 * 86_400
    assert stored_values(client, keys, 6) == numbers(COUNT)
    assert len(list_keys(client, keys)) == 6
    report = hand_over.consume()
    assert (report.verdict, report.digest, report.count) == ("verified", summary.digest, COUNT)
    assert hand_over.produce(resume=summary.run_id).attempts == 0


def test_a_list_that_lost_its_state_alone_is_recognised_and_written_again(
    hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis
) -> None:
    """No failover does this, since both are written in one transaction; a server that evicts keys does."""
    link.at(AUDIT, lambda: client.delete(keys.state(keys.segment(5))))
    summary = hand_over.produce(url=link.url, count=COUNT, segment_values=SEGMENT)
    assert summary.segments_rewritten == 1
    assert hand_over.events().count("state lost, list recognised") == 1
    assert stored_values(client, keys, 6) == numbers(COUNT)


def test_a_list_that_somebody_put_in_place_of_one_of_ours_stays(
    hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis
) -> None:
    def replace() -> None:
        client.delete(keys.state(keys.segment(5)), keys.segment(5))
        client.rpush(keys.segment(5), *range(SEGMENT))

    link.at(AUDIT, replace)
    with pytest.raises(WrongKeyError):
        hand_over.produce(url=link.url, count=COUNT, segment_values=SEGMENT)
    assert list_values(client, keys.segment(5)) == numbers(SEGMENT, first=0)


def test_damage_between_two_looks_is_found_too(
    hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis
) -> None:
    link.at(AUDIT, lambda: _lose_segments(2)(client, keys))
    link.at(AUDIT, lambda: _lose_segments(2, 4)(client, keys), nth=7)
    summary = hand_over.produce(url=link.url, count=COUNT, segment_values=SEGMENT)
    assert summary.lost_acknowledged == 3_000
    assert hand_over.consume().verdict == "verified"


def test_after_an_outage_the_shop_is_written_again(
    hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis
) -> None:
    def fail_over() -> None:
        client.delete(keys.user("1"), keys.cart("1"))
        link.cut()

    link.at(AUDIT, fail_over)
    hand_over.produce(url=link.url, count=COUNT, segment_values=SEGMENT)
    assert client.hget(keys.user("1"), "first_name") == b"Parker"
    assert client.hlen(keys.cart("1")) == 2


@pytest.mark.parametrize("newer_segments", [1_000, 5_500])
def test_a_newer_run_stands_and_the_older_one_is_superseded(
    *, newer_segments: int, hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis
) -> None:
    newer = []
    link.at(AUDIT, lambda: newer.append(hand_over.produce(count=COUNT + 1, segment_values=newer_segments)))
    with pytest.raises(SupersededError) as caught:
        hand_over.produce(url=link.url, count=COUNT, segment_values=SEGMENT)
    assert caught.value.exit_code == 75
    assert "--resume" not in str(caught.value)
    assert stored_values(client, keys, newer[0].segments) == numbers(COUNT + 1)
    assert hand_over.consume().run_id == newer[0].run_id


def test_damage_that_is_done_again_and_again_ends_the_run(
    hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server_a.run.loss_limit.MAX_AUDITS", 2)
    for look in range(3):
        link.at(AUDIT, lambda: client.delete(keys.signals()), nth=1 + 2 * look)
    with pytest.raises(Exception, match="--resume") as caught:
        hand_over.produce(url=link.url, count=2_000, segment_values=SEGMENT)
    assert getattr(caught.value, "exit_code", 0) == 75


@pytest.mark.parametrize("patience_s", [0.0, 0.3])
def test_a_server_that_drops_signals_ends_the_run_when_its_patience_does(
    patience_s: float, hand_over: HandOver, keys: Keyspace, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a stream that is trimmed by somebody, or a stranger's that takes them elsewhere."""
    monkeypatch.setattr("server_a.run.audit.signals_in", lambda _: iter(()))
    with pytest.raises(NotFinishedError, match="--resume") as caught:
        hand_over.produce(count=2_000, segment_values=SEGMENT, patience_s=patience_s)
    assert caught.value.got.startswith("one that loses it: 2 signals missing after ")
    signals = len(entries_of(client, keys.signals()))
    assert 2 + 2 * MIN_MENDED <= signals <= 2 + 2 * 10  # pauses grow, so few repairs fit into so short a patience
    assert stored_values(client, keys, 2) == numbers(2_000)
