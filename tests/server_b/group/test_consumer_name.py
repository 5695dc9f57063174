"""Consumer names: two processes of one name come to no false verdict, and a name goes only with nothing pending."""

from __future__ import annotations

import json
import random
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from demo.processes import Program
from demo.servers import Server
from server_b.group.consumer_name import ConsumerName
from server_b.group.scripts import NameUse
from server_b.group.signal_group import SignalGroup
from shared.endpoint.endpoint import Endpoint
from shared.errors import WrongEndpointError, WrongKeyError
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP
from shared.stopping import StopRequest
from tests.stage.foreign_keys import make_other_type, snapshot
from tests.stage.hand_over_in_process import Group, HandOver
from tests.stage.programs import StartProgram, run_program
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis

NAMES = ["b", "b 1", "a:b", "{x}", "é", "日本", "*", "[b]", "'", '"', "\\", "b" * 200]


@pytest.fixture
def members(endpoint: Endpoint, keys: Keyspace) -> dict[str, SignalGroup]:
    """Two processes of one name, and one whose name is its own."""
    tokens = {"first": "1", "second": "2"}
    named = {process: SignalGroup(endpoint, keys, "x", token) for process, token in tokens.items()}
    return named | {"own": SignalGroup(endpoint, keys, "own")}


def test_six_of_one_name_at_once_come_to_no_false_verdict(
    *,
    server: Server,
    namespace: str,
    hand_over: HandOver,
    client: redis.Redis,
    keys: Keyspace,
    start_program: StartProgram,
) -> None:
    """Each that sees a pending entry of its name reads it, and each reading counts as a delivery.

    The list is away until five of them have ended.
    """
    summary = hand_over.produce(count=10)
    segment = keys.segment(1)
    away = {key: client.dump(key) for key in (segment, keys.state(segment))}
    client.delete(*away)
    arguments = ("run", "--once", "--consumer", "x", "--json", "--wait-s", "60", "--max-deliveries", "1")
    started = [start_program("server-b", *arguments, server=server, namespace=namespace) for _ in range(6)]

    def ended() -> list[Program]:
        return [one for one in started if not one.is_running]

    wait_until(lambda: len(ended()) >= 5, description="five have ended", timeout_s=60)
    for key, dumped in away.items():
        client.restore(key, 0, dumped)  # type: ignore[arg-type]
    wait_until(lambda: len(ended()) == 6, description="all have ended", timeout_s=60)
    assert sorted(one.exit_code for one in started) == [0, *[78] * 5], [one.errors() for one in started]
    refused = [one.errors().strip().splitlines()[-1] for one in started if one.exit_code == 78]
    assert all("--consumer x: expected a name of this process alone" in line for line in refused)
    report = next(json.loads(one.output()) for one in started if one.exit_code == 0)
    assert (report["run_id"], report["verdict"]) == (summary.run_id, "verified")
    assert client.xlen(keys.dead_letters()) == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_held_by_one_process_until_it_ends(
    name: str, group: Group, endpoint: Endpoint, keys: Keyspace
) -> None:
    first, second = (SignalGroup(endpoint, keys, name, token) for token in ("1", "2"))
    assert (first.keep_name(), second.keep_name(), first.keep_name()) == (NameUse.OURS, NameUse.OTHERS, NameUse.OURS)
    first.leave()
    assert (second.keep_name(), first.keep_name()) == (NameUse.OURS_AFTER_ANOTHER, NameUse.OTHERS)
    second.leave()
    assert endpoint.at(keys.signals()).pttl(keys.consumer(name)) <= 5_000


def test_an_entry_is_renewed_only_by_the_process_that_has_the_name(
    hand_over: HandOver, group: Group, members: dict[str, SignalGroup]
) -> None:
    hand_over.produce(count=10)
    first, second = members["first"], members["second"]
    assert first.keep_name() is NameUse.OURS
    entry = first.read_new(block_ms=1)
    assert entry is not None
    assert first.renew(entry)
    assert not second.renew(entry, deliveries=7)
    assert group.deliveries() == [1]


def test_a_name_that_a_client_without_a_token_uses_is_refused(
    group: Group, members: dict[str, SignalGroup], client: redis.Redis, keys: Keyspace
) -> None:
    client.xreadgroup(CONSUMER_GROUP, "x", {keys.signals(): "0"})

    class Reading(StopRequest):
        def wait(self, timeout_s: float) -> bool:
            client.xreadgroup(CONSUMER_GROUP, "x", {keys.signals(): "0"})
            return super().wait(timeout_s)

    with closing(Reading()) as stop, pytest.raises(WrongEndpointError) as caught:
        ConsumerName(members["first"], stop).take()
    assert caught.value.where == "--consumer x"
    assert members["second"].keep_name() is NameUse.OURS_AFTER_ANOTHER


def test_a_name_whose_process_was_killed_is_free_in_a_few_seconds(
    group: Group, members: dict[str, SignalGroup], client: redis.Redis, keys: Keyspace
) -> None:
    members["first"].keep_name()
    client.xreadgroup(CONSUMER_GROUP, "x", {keys.signals(): "0"})
    with closing(StopRequest()) as stop:
        ConsumerName(members["second"], stop).take()
    assert members["first"].keep_name() is NameUse.OTHERS


def test_a_removal_that_comes_late_throws_no_entry_away(
    hand_over: HandOver, group: Group, members: dict[str, SignalGroup], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the removal another B of the name has taken an entry, with a lost connection's delay."""
    hand_over.produce(count=10)
    own = members["own"]
    assert own.own_pending(count=1) == {}
    monkeypatch.setattr(own, "own_pending", lambda **_: {})
    assert own.read_new(block_ms=1)
    own.leave()
    assert group.pending() == {"own": 1}


def test_a_default_name_is_removed_at_the_end_and_a_given_one_is_kept(
    server: Server, namespace: str, hand_over: HandOver, group: Group
) -> None:
    hand_over.produce(count=10)
    assert run_program("server-b", "run", "--once", server=server, namespace=namespace).exit_code == 0
    assert group.names() <= {"nobody"}
    hand_over.produce(count=10)
    for _ in range(2):  # the second starts at once, since the first one has ended
        run_program(
            "server-b", "run", "--once", "--consumer", "x", "--wait-s", "0.1", server=server, namespace=namespace
        )
    assert group.names() - {"nobody"} == {"x"}


def test_default_names_are_unique(server: Server, namespace: str, hand_over: HandOver) -> None:
    found = set()
    for _ in range(3):
        hand_over.produce(count=10)
        ended = run_program("server-b", "run", "--once", "--json", server=server, namespace=namespace)
        found.add(ended.json()["consumer"].rsplit("-", 1)[1])
    assert len(found) == 3
    assert all(len(suffix) == 4 and int(suffix, 16) >= 0 for suffix in found)


@pytest.mark.parametrize("seed", range(50))
def test_what_others_have_under_the_name_of_a_token_stays_and_is_named(
    *, seed: int, group: Group, members: dict[str, SignalGroup], client: redis.Redis, keys: Keyspace
) -> None:
    rng, key = random.Random(seed), keys.consumer("x")
    if seed % 2:
        make_other_type(client, key, rng, but="string")
    else:
        client.set(key, rng.choice(["", "theirs", "-1", "x" * 32, "{}", "0x12", "ended ", "Ended", "\xff"]))
    if seed % 3 == 0:
        client.pexpire(key, 3_600_000)
    before = (snapshot(client, [key]), client.execute_command("PEXPIRETIME", key))
    with closing(StopRequest()) as stop:
        name = ConsumerName(members["first"], stop)
        for use in (name.take, name.keep):
            with pytest.raises(WrongKeyError, match="--namespace") as caught:
                use()
            assert caught.value.where == key
    members["first"].leave()
    assert (snapshot(client, [key]), client.execute_command("PEXPIRETIME", key)) == before
