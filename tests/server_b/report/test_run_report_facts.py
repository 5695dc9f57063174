"""Two facts of a report that are not the list's: how long the signal took, and whose carts are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.hand_over_in_process import HandOver, entries_of
from tests.stage.programs import run_program
from tests.stage.turns import QUIET_S, TurnCounter

if TYPE_CHECKING:
    import redis

_SECOND_MS = 1_000
_HOUR_MS = 3_600 * _SECOND_MS


def _now_ms(client: redis.Redis) -> int:
    seconds, microseconds = client.time()
    return int(seconds) * 1_000 + int(microseconds) // 1_000


def _send_earlier(client: redis.Redis, keys: Keyspace, *ages_ms: int) -> None:
    """Have the signals as if they had been sent so long ago, oldest first; the stream takes no id before its last."""
    signals: list[dict[Any, Any]] = [dict(fields) for _, fields in entries_of(client, keys.signals())]
    client.delete(keys.signals())
    now_ms = _now_ms(client)
    for fields, age_ms in zip(signals, ages_ms, strict=True):
        client.xadd(keys.signals(), fields, id=f"{now_ms - age_ms}-0")


def test_the_lag_is_the_servers_time_at_the_taking_minus_that_of_the_entry(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    """Two hours are waited by the first signal, of which no machine is as slow as to make three."""
    hand_over.produce(count=20, segment_values=10)
    _send_earlier(client, keys, 2 * _HOUR_MS, 5 * _SECOND_MS)
    report = hand_over.consume()
    assert report.verdict == "verified"
    assert 2 * _HOUR_MS <= report.lag_ms < 3 * _HOUR_MS
    assert report.as_json()["lag_ms"] == report.lag_ms
    assert f"The signal took {report.lag_ms:,} ms, " in report.as_text(print_values=0)


def test_a_signal_from_the_future_took_no_time(hand_over: HandOver, client: redis.Redis, keys: Keyspace) -> None:
    """As after a failover to a server whose clock is behind."""
    hand_over.produce(count=10)
    _send_earlier(client, keys, -_HOUR_MS)
    assert hand_over.consume().lag_ms == 0


@pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
def test_the_programs_report_has_the_lag(server: Server, namespace: str, client: redis.Redis, keys: Keyspace) -> None:
    assert run_program("server-a", "run", "--count", "10", server=server, namespace=namespace).exit_code == 0
    _send_earlier(client, keys, _HOUR_MS)
    b = run_program("server-b", "run", "--once", "--json", server=server, namespace=namespace)
    assert _HOUR_MS <= b.json()["lag_ms"] < 2 * _HOUR_MS
    logged = [line for line in b.stderr.splitlines() if '"run complete"' in line]
    assert f'"lag_ms": {b.json()["lag_ms"]}' in logged[0]


@pytest.mark.parametrize(("carts", "shown"), [(0, 0), (1, 1), (10, 10), (12, 10)])
def test_a_report_shows_the_first_ten_carts_that_the_run_names(carts: int, shown: int, hand_over: HandOver) -> None:
    """There are twelve carts whatever the run names: an earlier one wrote them."""
    hand_over.produce(count=10, users=12, skus=5, carts=12)
    hand_over.produce(count=10, users=12, skus=5, carts=carts)
    report = hand_over.consume()
    assert [cart["user"] for cart in report.as_json()["carts"]] == [str(number) for number in range(1, shown + 1)]
    assert all(cart["lines"] for cart in report.as_json()["carts"])
    text = report.as_text(print_values=0)
    assert text.count("Cart ") == shown
    assert "Cart 11" not in text


def _cart_of(client: redis.Redis, keys: Keyspace, lines: int, *, id_bytes: int, sold: int = 1_000) -> None:
    """Put so many lines into cart 1, of which the first `sold` name SKUs that are sold."""
    client.delete(keys.cart("1"))
    with client.pipeline(transaction=False) as pipeline:
        for first in range(0, lines, 1_000):
            names = [f"{number:0{id_bytes}}" for number in range(first, min(first + 1_000, lines))]
            pipeline.hset(keys.cart("1"), mapping=dict.fromkeys(names, 2))
            for name in names[: max(sold - first, 0)]:
                pipeline.hset(keys.sku(name), mapping={"name": "x", "price": "1.50"})
        pipeline.execute()


@pytest.mark.parametrize("id_bytes", [5, 20, 64])
@pytest.mark.parametrize("lines", [0, 1, 9, 10, 11, 100, 128, 512, 513, 5_000])
def test_a_report_shows_ten_lines_of_a_cart(
    lines: int, id_bytes: int, hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    _cart_of(client, keys, lines, id_bytes=id_bytes, sold=lines)  # whichever ten are shown, all of them count
    report = hand_over.consume()
    (cart,) = report.as_json()["carts"]
    text = report.as_text(print_values=0)
    assert len(cart["lines"]) == min(lines, 10)
    assert all(line["quantity"] == 2 for line in cart["lines"])
    assert cart["total"] == (f"{3 * lines}.00" if lines <= 10 else None)
    assert (f"10 of {lines:,} lines" in text) is (lines > 10)
    assert (f"(without {lines - 10:,} line" in text) is (lines > 10)


def test_a_cart_that_was_large_before_is_shown_whole(hand_over: HandOver, client: redis.Redis, keys: Keyspace) -> None:
    """A scan of the table that was made for many lines may come upon none of the few that are left."""
    hand_over.produce(count=10)
    _cart_of(client, keys, 5_000, id_bytes=5)
    names = [name for name in client.hkeys(keys.cart("1")) if int(name) % 700]
    client.hdel(keys.cart("1"), *names)
    (cart,) = hand_over.consume().as_json()["carts"]
    assert (len(cart["lines"]), cart["total"]) == (8, "6.00")  # the SKUs of the first thousand are sold


def test_a_cart_of_100_000_lines_costs_a_report_as_much_as_a_small_one(
    server: Server, hand_over: HandOver, client: redis.Redis, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server_b.group.asked_ahead.KEPT_S", 3_600.0)  # else a slow machine may ask twice
    found, cart = [], keys.cart("1")
    for lines in (10, 100_000):
        hand_over.produce(count=10)
        _cart_of(client, keys, lines, id_bytes=20)
        with TurnCounter(server.port, quiet_s=QUIET_S) as counter:
            hand_over.consume(url=f"redis://127.0.0.1:{counter.port}")
        # not all turns: those of the lease and of waiting follow the clock
        turns = [counter.times(command) for command in (f"HLEN {cart}", f"HSCAN {cart}", "HLEN", "HSCAN", "HMGET")]
        found.append((turns, counter.carried["to_client"]))
    (small_turns, small_bytes), (large_turns, large_bytes) = found
    assert large_turns == small_turns
    assert small_turns[:2] == [1, 1]
    assert large_bytes - small_bytes < 20_000
