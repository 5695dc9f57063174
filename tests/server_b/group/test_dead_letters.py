"""Entries that can't be processed: how they become dead letters, and what can be done with those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from server_b.group.dead_letters import DeadLetters
from server_b.group.entry import Entry
from server_b.group.settling import EntrySettler
from server_b.report.standing import read_standing
from shared.endpoint.endpoint import Endpoint
from shared.errors import InvalidInputError, NotFinishedError, VerificationFailedError
from shared.keys import Keyspace
from shared.signal import Signal
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN, HandOver, entries_of
from tests.stage.programs import run_program

if TYPE_CHECKING:
    import redis

GOOD = Signal(OLDER, RUN, 1, 1, 10, DIGEST).encode()
# What somebody else may put into the stream, and what the reason must name.
BAD: list[tuple[dict[Any, Any], str]] = [
    ({"hello": "world"}, "schema_version"),
    ({**GOOD, "schema_version": "2"}, "schema_version"),
    ({**GOOD, "schema_version": ""}, "schema_version"),
    ({**GOOD, "extra": "1"}, "extra"),
    ({name: value for name, value in GOOD.items() if name != "digest"}, "digest"),
    ({**GOOD, "run_id": "nonsense"}, "run_id"),
    ({**GOOD, "run_id": "20261399T205801123Z-3f9a1c"}, "run_id"),
    ({**GOOD, "attempt": b"\xff\xfe"}, "attempt"),
    ({**GOOD, "segment": "2"}, "segment"),
    ({**GOOD, "segment": "0"}, "segment"),
    ({**GOOD, "segments": "1000000"}, "segments"),
    ({**GOOD, "count": "-1"}, "count"),
    ({**GOOD, "count": "1e3"}, "count"),
    ({**GOOD, "count": "9" * 30}, "count"),
    ({**GOOD, "digest": DIGEST.upper()}, "digest"),
    ({b"\xff": b"\xff" * 100_000}, "schema_version"),
]


@pytest.fixture
def letters(endpoint: Endpoint, keys: Keyspace) -> DeadLetters:
    return DeadLetters(endpoint, keys)


@pytest.fixture
def settler(endpoint: Endpoint, keys: Keyspace) -> EntrySettler:
    return EntrySettler(endpoint, keys, "b")


def _pending(client: redis.Redis, keys: Keyspace) -> int:
    return int(client.xpending(keys.signals(), "server-b")["pending"])


def test_what_cannot_be_decoded_is_put_aside_with_its_reason_and_the_rest_goes_on(
    hand_over: HandOver, letters: DeadLetters, client: redis.Redis, keys: Keyspace
) -> None:
    for fields, _ in BAD:
        client.xadd(keys.signals(), fields)
    origins = [entry_id for entry_id, _ in entries_of(client, keys.signals())]
    summary = hand_over.produce(count=10)
    assert hand_over.consume().run_id == summary.run_id
    found = letters.list_letters()
    assert [letter.origin for letter in found] == origins
    for letter, (fields, named) in zip(found, BAD, strict=True):
        assert named in letter.reason
        assert letter.consumer == "b"
        assert len(letter.fields) == len(fields)
    assert _pending(client, keys) == 0


def test_an_entry_that_is_set_aside_twice_makes_one_letter(
    letters: DeadLetters, settler: EntrySettler, client: redis.Redis, keys: Keyspace
) -> None:
    for reason in ("first", "second"):
        settler.dead_letter(Entry("1-1", {b"a": b"b"}), reason)
        settler.dead_letter(Entry("1-2", None), reason)
    assert [(letter.origin, letter.reason, letter.fields) for letter in letters.list_letters()] == [
        ("1-1", "first", {b"a": b"b"}),
        ("1-2", "first", {}),
    ]
    letters.drop(letters.list_letters()[0])
    assert client.xlen(keys.dead_letters()) == 1


def test_a_list_of_another_type_fails_the_run_and_is_put_aside(
    hand_over: HandOver, letters: DeadLetters, client: redis.Redis, keys: Keyspace
) -> None:
    summary = hand_over.produce(count=10)
    client.set(keys.segment(1), "x")
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    assert hand_over.reports[-1].run_id == summary.run_id
    assert "WRONGTYPE" in hand_over.reports[-1].reason
    assert "WRONGTYPE" in letters.list_letters()[0].reason


def test_a_result_of_another_type_puts_the_entry_aside_and_the_next_run_goes_on(
    hand_over: HandOver, letters: DeadLetters, client: redis.Redis, keys: Keyspace
) -> None:
    lost = hand_over.produce(count=10)
    client.set(keys.result(lost.run_id), "x")
    with pytest.raises(NotFinishedError):
        hand_over.consume(wait_s=0.5)
    assert [keys.result(lost.run_id) in letter.reason for letter in letters.list_letters()] == [True]
    assert _pending(client, keys) == 0
    summary = hand_over.produce(count=10)
    assert hand_over.consume().run_id == summary.run_id


def test_a_record_of_another_type_fails_the_run_and_is_put_aside(
    hand_over: HandOver, letters: DeadLetters, client: redis.Redis, keys: Keyspace
) -> None:
    summary = hand_over.produce(count=10)
    client.set(keys.run(summary.run_id), "x")
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    assert keys.run(summary.run_id) in hand_over.reports[-1].reason
    assert keys.run(summary.run_id) in letters.list_letters()[0].reason


def test_a_cart_of_another_type_does_not_hide_the_verdict(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    client.set(keys.cart("1"), "x")
    report = hand_over.consume()
    assert (report.verdict, report.carts) == ("verified", [])


def test_a_retried_letter_is_taken_anew(
    hand_over: HandOver, letters: DeadLetters, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    summary = hand_over.produce(count=10)
    values = client.dump(keys.segment(1))
    client.set(keys.segment(1), "x")
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    client.restore(keys.segment(1), 0, values, replace=True)  # type: ignore[arg-type]
    letter = letters.list_letters()[0]
    assert letters.retry(letter)
    assert not letters.retry(letter)
    assert client.xlen(keys.dead_letters()) == 0
    assert read_standing(endpoint, keys, summary.run_id).verdicts == {}
    report = hand_over.consume()
    assert (report.run_id, report.verdict) == (summary.run_id, "verified")


def test_a_retried_letter_that_is_no_better_comes_back(
    hand_over: HandOver, letters: DeadLetters, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    client.xadd(keys.signals(), {"hello": "world"})
    hand_over.produce(count=10)
    hand_over.consume()
    first = letters.list_letters()[0]
    assert letters.retry(first)
    hand_over.produce(count=10)
    hand_over.consume()
    second = letters.list_letters()[0]
    assert second.origin > first.origin
    assert second.fields == first.fields == {b"hello": b"world"}


def test_letters_are_chosen_by_their_origins(letters: DeadLetters, settler: EntrySettler) -> None:
    for number in range(3):
        settler.dead_letter(Entry(f"{number}-1", {b"a": b"b"}), "r")
    assert [letter.origin for letter in letters.choose(())] == ["0-1", "1-1", "2-1"]
    assert [letter.origin for letter in letters.choose(("2-1", "0-1"))] == ["0-1", "2-1"]
    with pytest.raises(InvalidInputError):
        letters.choose(("2-1", "7-1"))


@pytest.mark.parametrize("server_kind", ["redis7"], indirect=True)
def test_the_commands_list_retry_and_drop(
    server: Server, namespace: str, settler: EntrySettler, client: redis.Redis, keys: Keyspace
) -> None:
    client.xadd(keys.signals(), GOOD)  # type: ignore[arg-type]

    def dead(*arguments: str) -> tuple[int, str]:
        ended = run_program("server-b", "dead", *arguments, server=server, namespace=namespace)
        return ended.exit_code, ended.stdout

    assert dead("list") == (0, "No dead letters.\n")
    for number in range(1_050):
        settler.dead_letter(Entry(f"{number}-0", {b"name": b"\xffvalue"}), "no reason")
    code, text = dead("list")
    assert code == 0
    assert len(text.splitlines()) == 1_050
    assert text.startswith("0-0  no reason")
    assert dead("drop", "0-0", "7-0") == (0, "Dropped 2.\n")
    assert dead("retry", "1-0") == (0, "Signalled 1 again.\n")
    assert [fields for _, fields in entries_of(client, keys.signals())][1:] == [{b"name": b"\xffvalue"}]
    assert dead("retry", "1-0")[0] == 2
    assert dead("drop")[0] == 0
    assert client.xlen(keys.dead_letters()) == 0
