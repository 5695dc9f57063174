"""The report of a run from the verdicts of its segments, read side by side by two consumers."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from demo.servers import Server
from server_b.report.run_report import MODE_GROUP, RunReport, make_report
from shared.digest import run_digest
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict
from tests.stage.hand_over_in_process import NEWER, RUN

FIRST_DIGEST, SECOND_DIGEST = "97630108292763d6b16b693f7e36d0aa", "0123456789abcdef0123456789abcdef"
FIRST = SegmentVerdict(
    VERIFIED, RUN, 1, 2, 1_000, FIRST_DIGEST, last="1", lag_ms=7, started_us=5_000_000, ended_us=6_000_000, consumer="b"
)
SECOND = SegmentVerdict(
    VERIFIED, NEWER, 2, 2, 500, SECOND_DIGEST, first=["1500", "1499"], lag_ms=40, started_us=4_000_000,
    ended_us=5_500_000, consumer="c",
)  # fmt: skip


@pytest.fixture
def keys(namespace: str) -> Keyspace:
    return Keyspace(namespace)


def _report(server: Server, keys: Keyspace, first: SegmentVerdict, second: SegmentVerdict) -> RunReport:
    with closing(open_endpoint(EndpointSettings(url=parse_url(server.url)))) as endpoint:
        # the order in which they came is not that of the segments
        return make_report(endpoint, keys, RUN, {2: second, 1: first}, consumer="c", mode=MODE_GROUP)


def test_reading_took_from_the_earliest_start_to_the_latest_end(valkey9: Server, keys: Keyspace) -> None:
    report = _report(valkey9, keys, FIRST, SECOND)
    assert (report.read_s, report.values_per_s) == (2.0, 750)
    inside = replace(SECOND, started_us=5_100_000, ended_us=5_200_000)
    assert _report(valkey9, keys, FIRST, inside).read_s == 1.0
    around = replace(SECOND, started_us=1_000_000, ended_us=9_000_000)
    assert _report(valkey9, keys, FIRST, around).read_s == 8.0


def test_the_lag_is_the_largest(valkey9: Server, keys: Keyspace) -> None:
    assert _report(valkey9, keys, FIRST, SECOND).lag_ms == 40
    assert _report(valkey9, keys, replace(FIRST, lag_ms=41), SECOND).lag_ms == 41


def test_a_segment_that_was_not_read_takes_no_time(valkey9: Server, keys: Keyspace) -> None:
    unread = replace(SECOND, verdict=FAILED, reason="never arrived", started_us=0, ended_us=9_000_000)
    report = _report(valkey9, keys, FIRST, unread)
    assert (report.verdict, report.read_s, report.values_per_s) == (FAILED, 1.0, 1_500)
    none = _report(valkey9, keys, replace(FIRST, verdict=SUPERSEDED, reason="newer", started_us=0), unread)
    assert (none.read_s, none.values_per_s) == (0.0, 0)


def test_the_rest_is_the_runs(valkey9: Server, keys: Keyspace) -> None:
    report = _report(valkey9, keys, FIRST, SECOND).as_json()
    assert report.pop("endpoint") == valkey9.url
    assert report == {
        "run_id": RUN, "verdict": VERIFIED, "reason": "", "witness": None, "count": 1_500, "segments": 2,
        "digest": run_digest([FIRST_DIGEST, SECOND_DIGEST]), "first": ["1500", "1499"], "last": "1", "carts": [],
        "lag_ms": 40, "read_s": 2.0, "values_per_s": 750, "reply_ms": None, "outages": 0,
        "outage_s": 0.0, "consumer": "c", "mode": "group",
    }  # fmt: skip
