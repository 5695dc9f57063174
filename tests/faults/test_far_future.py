"""Signals and states of runs that are far ahead of the server's clock: somebody else's, and never the newest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from server_b.segment.look import SegmentLook
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.published import newest_signals
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.state import SegmentState
from shared.status.status import read_status
from shared.tokens import MOST_AHEAD_MS, is_too_late, make_token
from tests.stage.far_future import DAY_MS, FAR, inject
from tests.stage.following import Following
from tests.stage.hand_over_in_process import DIGEST, HandOver, entries_of, numbers
from tests.stage.inside import run_inside
from tests.stage.programs import Name
from tests.stage.servers import connect_url

if TYPE_CHECKING:
    import redis

NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize("ahead_ms", [0, -DAY_MS, -(10**12), 1, 1_000, DAY_MS - 1_000])
def test_runs_of_about_now_are_believed(ahead_ms: int) -> None:
    assert not is_too_late(make_token(NOW_MS + ahead_ms), NOW_MS)


@pytest.mark.parametrize("ahead_ms", [MOST_AHEAD_MS + 1, 2 * DAY_MS, 365 * DAY_MS, 10**13, 2 * 10**14])
def test_runs_of_much_later_are_not(ahead_ms: int) -> None:
    run_id = make_token(NOW_MS + ahead_ms)
    values = [run_id.encode(), run_id.encode(), b"5", DIGEST.encode()]
    assert is_too_late(run_id, NOW_MS)
    assert SegmentState.decode("k", values) is not None
    with pytest.raises(WrongKeyError):
        SegmentState.decode("k", values, server_ms=NOW_MS)


@pytest.mark.parametrize("far", FAR)
@pytest.mark.parametrize("changes", [{}, {"segments": 3}, {"segment": 2, "segments": 9}, {"count": 100_000_000}])
def test_no_reader_takes_it_for_the_newest(
    *, far: str, changes: dict[str, Any], hand_over: HandOver, endpoint: Endpoint, keys: Keyspace, server: Server,
    client: redis.Redis,
) -> None:  # fmt: skip
    run_id = hand_over.produce(count=50).run_id
    hand_over.consume()
    inject(client, keys, far, **changes)
    assert {signal.run_id for signal in newest_signals(endpoint, keys)[0]} == {run_id}
    found = read_status(endpoint, keys, is_scanned=True)
    assert [run.run_id for run in found.runs] == [run_id]
    read = run_inside("server-b", "read", "--url", server.url, "--namespace", keys.namespace)
    assert read.stdout_bytes.split() == numbers(50)[::-1]


@pytest.mark.parametrize("far", FAR)
def test_its_entry_is_a_dead_letter_at_once(far: str, hand_over: HandOver, keys: Keyspace, client: redis.Redis) -> None:
    inject(client, keys, far)
    run_id = hand_over.produce(count=50).run_id
    report = hand_over.consume(settle_s=60.0)
    assert (report.run_id, report.verdict) == (run_id, "verified")
    ((_, letter),) = entries_of(client, keys.dead_letters())
    assert b"far ahead of the server's clock" in letter[b"reason"]
    assert not client.exists(keys.result(far))


@pytest.mark.cluster
@pytest.mark.kept_together("topologies")
@pytest.mark.parametrize("far", FAR)
def test_a_follower_skips_it(far: str, following: Following) -> None:
    with connect_url(following.primary.url) as primary:
        inject(primary, Keyspace(""), far)
    run_id = following.produce(count=50)
    assert following.follow(settle_s=60.0).run_id == run_id


@pytest.mark.parametrize("far", FAR)
def test_a_record_that_a_scan_finds_is_not_believed(
    far: str, hand_over: HandOver, endpoint: Endpoint, keys: Keyspace, client: redis.Redis
) -> None:
    run_id = hand_over.produce(count=50).run_id
    client.copy(keys.run(run_id), keys.run(far))
    client.hset(keys.run(far), mapping={"run_id": far, "finished_ms": "0"})
    assert [run.run_id for run in read_status(endpoint, keys, is_scanned=True).runs] == [run_id]


@pytest.mark.parametrize("far", FAR)
def test_a_state_of_it_is_somebody_elses(
    *, far: str, hand_over: HandOver, endpoint: Endpoint, keys: Keyspace, client: redis.Redis, server: Server
) -> None:
    hand_over.produce(count=50)
    client.hset(keys.state(keys.segment(1)), mapping={"run_id": far, "attempt": far})
    look = SegmentLook.read(endpoint, keys, newest_signals(endpoint, keys)[0][0], "1-1")
    assert "a run id of the server's time" in look.obstacle
    commands: list[tuple[Name, str]] = [
        ("server-a", "status"), ("server-b", "status"), ("server-b", "read"), ("server-a", "run"),
    ]  # fmt: skip
    for name, command in commands:
        ended = run_inside(name, command, "--log-level", "error", "--url", server.url, "--namespace", keys.namespace)
        assert ended.exit_code == 78, ended
        assert far in ended.stderr


def test_json_says_so_too(hand_over: HandOver, keys: Keyspace, client: redis.Redis, server: Server) -> None:
    inject(client, keys, FAR[0])
    hand_over.produce(count=50)
    hand_over.consume()
    ended = run_inside("server-b", "dead", "list", "--json", "--url", server.url, "--namespace", keys.namespace)
    assert "far ahead" in json.loads(ended.stdout)["reason"]
