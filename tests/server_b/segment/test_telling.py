"""What a consumer tells of a reading under way: how far it is, and only where nobody pays for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from demo.servers import Server
from server_b.report.run_report import RunReport
from server_b.segment import telling
from shared.endpoint.endpoint import Endpoint
from shared.keys import Keyspace
from shared.page.collecting import Collector
from shared.page.facts import RunFacts
from shared.page.render import report_html
from shared.reading import LASTS_MS, ReadingNote
from tests.stage.access_rules import PASSWORDS, Guarded, guarded, rules
from tests.stage.foreign_keys import snapshot
from tests.stage.hand_over_in_process import OLDER, HandOver
from tests.stage.held_reading import HeldReading
from tests.stage.html_reading import ReadHtml
from tests.stage.page_process import Serve
from tests.stage.servers import connect
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis

__all__ = ["guarded"]

COUNT = 400_000
HELD_AFTER_BYTES = 300_000  # a part of the values, and less than is asked for ahead
NOT_TOLD = "how far the reading is was not told"
READING_RULE = " (%RW~{signals}:reading +hrandfield +hdel +hset +pexpire)"


@contextmanager
def held_reading(
    hand_over: HandOver, server: Server, login: str = ""
) -> Iterator[tuple[HeldReading, Future[RunReport]]]:
    """Have a run read over a link that holds its values back; the reading goes on at the end of the block at latest."""
    hand_over.produce(count=COUNT)
    with (
        pytest.MonkeyPatch.context() as patch,
        HeldReading(server.port, after_bytes=HELD_AFTER_BYTES) as link,
        ThreadPoolExecutor(1) as pool,
    ):
        patch.setattr("shared.endpoint.pools.SOCKET_TIMEOUT_S", 60.0)  # what is held back, however long, is not lost
        report = pool.submit(hand_over.consume, url=link.url.replace("//", f"//{login}"), wait_s=60.0)
        try:
            yield link, report
        finally:
            link.release()


def run_on_page(endpoint: Endpoint, keys: Keyspace) -> RunFacts:
    """Return what the page shows of the newest run."""
    run = Collector(endpoint, keys, is_encrypted=False).look().run
    assert run is not None
    return run


def told_by(client: redis.Redis, keys: Keyspace) -> bytes | None:
    """Return what the consumer told."""
    return cast("bytes | None", client.hget(keys.reading(), "b"))


def test_a_reading_that_lasts_is_told_and_shown(
    hand_over: HandOver, server: Server, client: redis.Redis, keys: Keyspace, endpoint: Endpoint
) -> None:
    now_ms = endpoint.server_us(keys.reading()) // 1_000
    client.hset(keys.reading(), "gone", f"{OLDER} 1 5 400 {now_ms - LASTS_MS - 1}")
    client.hset(keys.reading(), "other", f"{OLDER} 1 5 400 {now_ms}")
    with held_reading(hand_over, server) as (link, report):
        wait_until(lambda: client.hexists(keys.reading(), "b"), description="the reading is told")
        told = ReadingNote.decode(told_by(client, keys))
        run = run_on_page(endpoint, keys)
        assert told is not None
        assert (told.run_id, told.segment, 0 < told.values < COUNT, told.at_ms >= now_ms) == (run.run_id, 1, True, True)
        assert now_ms <= told.began_ms <= told.at_ms - int(telling.TELL_EVERY_S * 1_000)
        assert client.hkeys(keys.reading()).count(b"gone") == 0
        assert client.hexists(keys.reading(), "other")
        assert 0 < client.pttl(keys.reading()) <= LASTS_MS
        (shown,) = run.under_way
        assert (shown.consumer, shown.segment, shown.count) == ("b", 1, COUNT)
        assert told.values <= shown.values < COUNT
        assert (run.parts[0].reading, run.parts[0].values_read) == (1, shown.values)
        facts = Collector(endpoint, keys, is_encrypted=False).look()
        assert f"b reads segment 1: {shown.values:,} of 400,000 values" in ReadHtml(report_html(facts)).text
        link.release()
        assert report.result().verdict == "verified"
    assert run_on_page(endpoint, keys).under_way == ()


@pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
def test_the_page_shows_it_live(hand_over: HandOver, server: Server, serve: Serve) -> None:
    tab = serve().tab()
    with held_reading(hand_over, server) as (link, report):
        tab.until("b reads segment 1: ")
        link.release()
        assert report.result().verdict == "verified"
    assert "reads segment" not in tab.until("complete, in order and once")


def test_of_a_short_reading_nothing_is_written(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slow the machine is: what is asked for as a whole has no time to be told of."""
    monkeypatch.setattr(telling, "TELL_EVERY_S", 0.0)
    hand_over.produce(count=20_000, segment_values=10_000)
    hand_over.consume()
    assert not client.exists(keys.reading())
    assert NOT_TOLD not in hand_over.events()


FOREIGN: dict[str, Callable[[Any, str], object]] = {
    "a string": lambda client, key: client.set(key, "theirs"),
    "a list": lambda client, key: client.rpush(key, "theirs"),
    "a hash": lambda client, key: client.hset(key, "b", "theirs"),
    "a hash like ours": lambda client, key: client.hset(
        key, mapping={"b": f"{OLDER} 1 5 4 17", "c": f"{OLDER} 1 5 17"}
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_key_of_somebody_elses_is_left_as_it_is(
    *, name: str, hand_over: HandOver, server: Server, client: redis.Redis, keys: Keyspace, endpoint: Endpoint
) -> None:
    FOREIGN[name](client, keys.reading())
    before = snapshot(client, [keys.reading()])
    with held_reading(hand_over, server) as (link, report):
        wait_until(lambda: NOT_TOLD in hand_over.events(), description="the key was looked at")
        assert run_on_page(endpoint, keys).under_way == ()
        link.release()
        assert report.result().verdict == "verified"
    assert snapshot(client, [keys.reading()]) == before
    assert client.pttl(keys.reading()) == -1


def test_a_reading_that_may_not_be_told_ends_as_any_other(guarded: Guarded) -> None:
    rule = rules("server-b")
    assert READING_RULE in rule
    hand_over = HandOver(guarded.server.url, Keyspace())
    with connect(guarded.server) as client:
        client.execute_command("ACL", "SETUSER", *rule.replace(READING_RULE, "").split()[1:])
        with held_reading(hand_over, guarded.server, f"server-b:{PASSWORDS['server-b']}@") as (link, report):
            wait_until(lambda: NOT_TOLD in hand_over.events(), description="the refusal is logged")
            link.release()
            assert report.result().verdict == "verified"
        levels = [entry["log_level"] for entry in hand_over.logged.entries if entry["event"] == NOT_TOLD]
        assert levels == ["debug"]
        assert not client.exists(Keyspace().reading())


def test_the_rules_of_the_programs_users_are_enough_to_tell_and_to_show_it(guarded: Guarded) -> None:
    hand_over, keys = HandOver(guarded.server.url, Keyspace()), Keyspace()
    with connect(guarded.server) as client:
        client.hset(keys.reading(), "gone", f"{OLDER} 1 5 4 17")
        with held_reading(hand_over, guarded.server, f"server-b:{PASSWORDS['server-b']}@") as (link, report):
            wait_until(lambda: told_by(client, keys) is not None, description="the reading is told")
            (shown,) = json.loads(guarded.report("--json").stdout)["run"]["under_way"]
            link.release()
            assert report.result().verdict == "verified"
        assert shown["consumer"] == "b"
        assert not client.hexists(keys.reading(), "gone")
    told = {"eval", "hrandfield", "hdel", "hset", "pexpire", "hmget", keys.reading()}
    assert not guarded.refused() & told
