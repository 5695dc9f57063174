"""Each rare flow of server-a, provoked by itself: it happens, and the log says so.

A fault test that passes without the flow it is about says nothing. So each has a test here that fails when the flow no
longer comes, or comes without a word.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink, resp
from tests.stage.hand_over_in_process import HandOver, list_keys, numbers, stored_values
from tests.stage.programs import StartProgram
from tests.stage.writer_processes import writers_of

if TYPE_CHECKING:
    import redis

# 25 batches: more than a link gets at once, so that a late one comes without the first one
COUNT = 25_000


@pytest.fixture
def told(hand_over: HandOver, client: redis.Redis, keys: Keyspace) -> Callable[[str], dict[str, Any]]:
    """Return the one entry of the log with an event, once the list is exact and B has verified it."""

    def find(event: str) -> dict[str, Any]:
        assert stored_values(client, keys) == numbers(COUNT)
        assert hand_over.consume().verdict == "verified"
        (entry,) = [entry for entry in hand_over.logged.entries if entry["event"] == event]
        return dict(entry)

    return find


Told = Callable[[str], dict[str, Any]]


def test_a_late_batch_is_refused(hand_over: HandOver, link: FaultyLink, told: Told) -> None:
    link.hold(b"LPUSHX", nth=20)
    hand_over.produce(url=link.url, count=COUNT)
    assert b":0\r\n" in link.deliver_held()  # LPUSHX at a key that is not there
    told("attempt lost")


def test_a_late_transaction_makes_a_list_that_expires(
    hand_over: HandOver, link: FaultyLink, client: redis.Redis, keys: Keyspace, told: Told
) -> None:
    link.hold(b"\nEXPIRE")
    hand_over.produce(url=link.url, count=COUNT)
    link.deliver_held()
    (late,) = list_keys(client, keys) - {keys.segment(1)}
    assert 0 < client.ttl(late) <= 3_600
    told("attempt lost")


def test_an_attempt_is_given_up(hand_over: HandOver, link: FaultyLink, told: Told) -> None:
    link.at(b"LPUSHX", lambda: None, nth=20, is_forwarded=False)
    assert hand_over.produce(url=link.url, count=COUNT).attempts == 2
    assert told("attempt lost")["segment"] == 1


def test_a_publication_is_found_done(hand_over: HandOver, link: FaultyLink, told: Told) -> None:
    link.lose_reply(resp("RENAME"))
    assert hand_over.produce(url=link.url, count=COUNT).attempts == 1
    assert told("publication found done")["segment"] == 1


def test_a_signal_is_sent_twice(
    hand_over: HandOver, link: FaultyLink, client: redis.Redis, keys: Keyspace, told: Told
) -> None:
    link.lose_reply(resp("XADD"))
    hand_over.produce(url=link.url, count=COUNT)
    assert client.xlen(keys.signals()) == 2
    assert told("signals sent again")["signals"] == 1


def test_a_publication_is_repeated_when_its_keys_changed(
    hand_over: HandOver, link: FaultyLink, client: redis.Redis, keys: Keyspace, told: Told
) -> None:
    def touch() -> None:
        (staging,) = list_keys(client, keys)
        client.expire(staging, 3_600)

    link.at(resp("RENAME"), touch)
    assert hand_over.produce(url=link.url, count=COUNT).attempts == 1
    assert told("publication repeated, its keys had changed")["segment"] == 1


@pytest.mark.parametrize("lost", ["segments", "signals", "is_record_lost"])
def test_the_audit_finds_what_is_lost(
    *, lost: str, hand_over: HandOver, link: FaultyLink, client: redis.Redis, keys: Keyspace, told: Told
) -> None:
    def lose() -> None:
        if lost == "segments":
            client.delete(keys.segment(1), keys.state(keys.segment(1)))
        elif lost == "signals":
            client.xtrim(keys.signals(), maxlen=0, approximate=False)
        else:
            client.delete(*client.scan_iter(match=keys.run("*"), count=1_000))

    link.at(resp("XRANGE"), lose)
    hand_over.produce(url=link.url, count=COUNT)
    found = told("acknowledged writes lost")
    assert {name for name in ("segments", "signals", "is_record_lost") if found[name]} == {lost}


def test_a_writer_dies(
    *,
    server: Server,
    namespace: str,
    link: FaultyLink,
    start_program: StartProgram,
    client: redis.Redis,
    keys: Keyspace,
) -> None:
    def kill_all() -> None:
        for writer in writers_of(a):
            os.kill(writer, signal.SIGKILL)

    link.at(b"LPUSHX", kill_all)
    sizes = ("--count", str(COUNT), "--segment-values", "5000")
    a = start_program("server-a", "run", *sizes, "--writers", "2", server=link.url, namespace=namespace)
    assert a.wait(60) == 0, a.errors()
    assert "expected a process that writes, got one that was killed" in a.errors()
    assert stored_values(client, keys, 5) == numbers(COUNT)
