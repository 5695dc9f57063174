"""What the link to an endpoint allows: its round trip, its rate, and the least time that a hand-over takes over it.

Nothing is written. Round trips are measured one after the other, since several under way at once would measure the
queue as well. The rate comes from commands with a large argument that touch no data.
"""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing

from shared.check.findings import HandOverFindings, LinkFindings, Way
from shared.endpoint.batch_connection import pack
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import Command

ENOUGH_ROUND_TRIPS = 200
ROUND_TRIPS_S = 2.5  # then what there is must do: 30 of them at 80 ms
RATE_S = 1.0
RATE_BYTES = 4 * 1024 * 1024
_PIECE_BYTES = 16 * 1024
_JITTER = 0.1  # share of a round trip that can't be told from the time that bytes take

LEAST_TURNS = {"server-a": 12, "server-b": 14}
"""Round trips that each program waits for one after the other in a hand-over of 10,000 values; more segments take more.
tests/whole/programs/test_round_trips.py counts them: fewer than these call for smaller figures here."""


def measure_round_trips(ask: Callable[[], object]) -> list[float]:
    """Return the seconds of up to 200 round trips, fewer where they take more than 2.5 s together."""
    ask()  # may connect first
    times: list[float] = []
    started = now = time.perf_counter()
    while len(times) < ENOUGH_ROUND_TRIPS and now - started < ROUND_TRIPS_S:
        ask()
        before, now = now, time.perf_counter()
        times.append(now - before)
    return times


def percentile(times: Sequence[float], share: float) -> float:
    """Return the least of some times that this share of them does not exceed."""
    return sorted(times)[max(0, math.ceil(share * len(times)) - 1)]


def measure_rate(
    endpoint: Endpoint, key: str, command: Callable[[bytes], Command], *, way: Way, times: Sequence[float]
) -> LinkFindings:
    """Return the rate at which commands with a large argument are answered, `times` being those of round trips.

    Sends twice as much each time, as long as all of it stays below 4 MiB and about a second, and takes the last one:
    TCP opens its window while the first are sent.

    Redis: `command` with an argument of 16 KiB, at most 255 times.
    """
    round_trip_s = statistics.median(times)
    commands, total, took = 1, 0, 0.0
    end_at = time.perf_counter() + RATE_S
    with closing(endpoint.batch(key)) as connection:
        packed = pack(*command(os.urandom(_PIECE_BYTES)))  # nothing that a tunnel could compress
        while True:
            started = time.perf_counter()
            connection.send(packed * commands, replies=commands)
            for _ in range(commands):
                connection.read(key=key)
            took = time.perf_counter() - started
            total += commands * _PIECE_BYTES
            if total + 2 * commands * _PIECE_BYTES > RATE_BYTES or time.perf_counter() + 2 * took > end_at:
                break
            commands *= 2
    return LinkFindings(rate(commands * _PIECE_BYTES, took, round_trip_s=round_trip_s), way, total)


def rate(sent_bytes: int, took_s: float, *, round_trip_s: float) -> int:
    """Return the bytes a second of a transfer that took a round trip and the time of its bytes. Pure."""
    return round(sent_bytes / max(took_s - round_trip_s, round_trip_s * _JITTER, 1e-6))


def least_hand_over(
    count: int, values_bytes: int, *, round_trip_s: float, link: LinkFindings | None
) -> HandOverFindings:
    """Return what a hand-over of so many values takes at least. Pure."""
    values_s = round(values_bytes / link.bytes_per_s, 3) if link is not None else None
    a_s, b_s = (turns * round_trip_s + (values_s or 0.0) for turns in LEAST_TURNS.values())
    a_turns, b_turns = LEAST_TURNS.values()
    return HandOverFindings(count, values_bytes, values_s, a_turns, round(a_s, 3), b_turns, round(b_s, 3))
