"""Two facts of a report that are not the list's: how long the signal took, and whose carts are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.hand_over_in_process import HandOver, entries_of
from tests.stage.programs import run_program

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
