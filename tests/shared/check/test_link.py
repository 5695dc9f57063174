"""What `check` says of the link: round trips, rate, and the least time of a hand-over."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from shared.check import link as measuring
from shared.check.findings import LinkFindings
from shared.check.link import (
    ENOUGH_ROUND_TRIPS,
    LEAST_TURNS,
    RATE_BYTES,
    least_hand_over,
    measure_rate,
    measure_round_trips,
    percentile,
    rate,
)
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from tests.stage.check_runs import PROGRAMS, check, user_url
from tests.stage.programs import Name
from tests.stage.servers import connect
from tests.stage.turns import TurnCounter

if TYPE_CHECKING:
    import redis

DELAY_S = 0.08


@pytest.mark.parametrize(
    ("times", "median", "highest"),
    [([3.0], 3.0, 3.0), ([1.0, 2.0, 3.0], 2.0, 3.0), ([float(n) for n in range(1, 201)], 100.0, 198.0)],
)
def test_a_percentile_is_the_least_time_that_so_many_stay_below(
    times: list[float], median: float, highest: float
) -> None:
    assert (percentile(times, 0.5), percentile(times, 0.99)) == (median, highest)


def test_the_bytes_of_a_transfer_take_what_is_left_of_the_round_trip() -> None:
    assert rate(1_000_000, 1.5, round_trip_s=0.5) == 1_000_000
    assert rate(1_000_000, 0.5, round_trip_s=0.5) == 20_000_000, "no more than jitter lets us tell"
    assert rate(1_000_000, 0.0, round_trip_s=0.0) > 0


def test_a_hand_over_takes_its_round_trips_and_its_bytes() -> None:
    found = least_hand_over(10, 500, round_trip_s=0.1, link=LinkFindings(1_000, "to the server", 10))
    a, b = LEAST_TURNS["server-a"], LEAST_TURNS["server-b"]
    assert (found.server_a_turns, found.server_b_turns, found.values_s) == (a, b, 0.5)
    assert (found.server_a_s, found.server_b_s) == (round(a * 0.1 + 0.5, 3), round(b * 0.1 + 0.5, 3))
    without = least_hand_over(10, 500, round_trip_s=0.1, link=None)
    assert (without.values_s, without.server_a_s) == (None, round(a * 0.1, 3))


def test_quick_round_trips_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "ROUND_TRIPS_S", 600.0)  # they are quick, though the machine may stand still
    assert len(measure_round_trips(lambda: None)) == ENOUGH_ROUND_TRIPS


def test_the_rate_costs_no_more_than_it_says(server: Server, client: redis.Redis) -> None:
    with (
        TurnCounter(server.port) as counter,
        closing(open_endpoint(EndpointSettings(parse_url(counter.url)))) as endpoint,
    ):
        found = measure_rate(endpoint, "x", lambda payload: ("PING", payload), way="there and back", times=[0.0001])
        carried = counter.carried
    assert found.bytes_per_s > 0
    assert found.measured_bytes <= min(carried.values()) <= max(carried.values()) <= RATE_BYTES * 1.01
    assert not list(client.scan_iter())


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_far_link(program: Name, own_server: Server) -> None:
    """A relay that holds each reply back until the connection was quiet for 80 ms."""
    with TurnCounter(own_server.port, quiet_s=DELAY_S) as counter:
        code, found = check(program, counter.url)
    assert code == 0
    assert DELAY_S * 1_000 <= found["round_trip_ms"] <= found["round_trip_p99_ms"]
    assert 5 <= found["round_trips"] <= 2.6 / DELAY_S
    assert counter.turns <= found["round_trips"] + 40, str(counter)
    assert counter.carried["to_server"] <= RATE_BYTES + 100_000
    if program == "server-a":
        assert found["hand_over"]["server_a_s"] >= LEAST_TURNS["server-a"] * DELAY_S
        assert found["hand_over"]["server_b_s"] >= LEAST_TURNS["server-b"] * DELAY_S
    with connect(own_server) as client:
        assert client.dbsize() == 0


def test_a_rate_that_may_not_be_measured(own_server: Server) -> None:
    code, found = check("server-b", user_url(own_server, "-ping"))
    assert (code, found["link"]) == (77, None)
