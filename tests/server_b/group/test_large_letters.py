"""Entries of any size become dead letters of a bounded one, and nothing behind them waits."""

from __future__ import annotations

import tracemalloc
from contextlib import closing
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from server_b.group.dead_letters import MAX_FIELD_BYTES, MAX_FIELDS, DeadLetter, DeadLetters, letter_fields
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace
from shared.signal import Signal
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN, HandOver
from tests.stage.programs import run_program
from tests.stage.servers import connect

if TYPE_CHECKING:
    import redis

MIB = 1024 * 1024
GOOD: dict[Any, Any] = Signal(OLDER, RUN, 1, 1, 10, DIGEST).encode()
SIZES = (0, 1, 199, 200, 201, 1_000, MIB)


def _fields(names: int, name_bytes: int, value_bytes: int) -> dict[bytes, bytes]:
    return {(b"%06d" % number).ljust(name_bytes, b"n"): b"v" * value_bytes for number in range(names)}


@pytest.mark.parametrize(("names", "name_bytes", "value_bytes"), list(product((1, 31, 33), SIZES, SIZES[:-1])))
def test_a_letter_holds_the_beginning_of_its_entry(names: int, name_bytes: int, value_bytes: int) -> None:
    fields = _fields(names, name_bytes, value_bytes)
    stored = letter_fields(origin="1-1", reason="no signal", consumer="b", fields=fields)
    letter = DeadLetter.decode(
        "2-1", {name: value if isinstance(value, bytes) else value.encode() for name, value in stored.items()}
    )
    is_whole = names <= MAX_FIELDS and max(name_bytes, value_bytes) <= MAX_FIELD_BYTES
    assert (letter.fields == fields) is is_whole
    assert ("is kept" in letter.reason) is not is_whole
    assert len(letter.fields) == min(names, MAX_FIELDS)
    assert all(max(len(name), len(value)) <= MAX_FIELD_BYTES for name, value in letter.fields.items())


def test_all_fields_of_a_signal_are_kept() -> None:
    signal = {name.encode(): value.encode() for name, value in GOOD.items()} | {b"traceparent": b"0" * 55}
    letter = letter_fields(origin="1-1", reason="never arrived", consumer="b", fields=signal)
    assert {name: letter[b"field:" + name] for name in signal} == signal


LARGE: dict[str, dict[Any, Any]] = {
    "a field of 100 MB": {**GOOD, "extra": b"x" * 100_000_000},
    "300 MiB": {f"field {number}": b"x" * (100 * MIB) for number in range(3)},
    "100,000 fields": _fields(100_000, 10, 10),
    "a name of 2 MiB": {b"n" * (2 * MIB): b"v"},
    "a value of a signal": {**GOOD, "run_id": b"r" * (2 * MIB)},
    "a digest": {**GOOD, "digest": b"\xff" * (2 * MIB)},
}


@pytest.mark.parametrize("what", LARGE)
def test_a_large_entry_holds_nothing_back(what: str, own_server: Server) -> None:
    """Also where the server would not take it again, since its limit is smaller than it was."""
    hand_over = HandOver(own_server.url, Keyspace(""))
    hand_over.produce(count=10)  # so that the stream is ours
    with connect(own_server) as client:
        client.xadd("signals", LARGE[what])
        client.config_set("proto-max-bulk-len", "1mb")
        run_id = hand_over.produce(count=10).run_id
        assert hand_over.consume().run_id == run_id
        assert client.xlen("{signals}:dead") == 1
        assert int(client.memory_usage("{signals}:dead") or 0) < 100_000
    listed = run_program("server-b", "dead", "list", "--json", server=own_server)
    assert listed.exit_code == 0, listed.stderr
    assert len(listed.stdout) < 100_000
    assert run_program("server-b", "dead", "retry", server=own_server).exit_code == 0


def test_large_letters_of_an_older_version_are_listed_in_short(
    endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    for number in range(5):
        client.xadd(keys.dead_letters(), {"origin": f"{number}-1", "reason": "r" * MIB, "field:a": b"x" * (10 * MIB)})
    letters = DeadLetters(endpoint, keys).list_letters()
    assert [letter.origin for letter in letters] == [f"{number}-1" for number in range(5)]
    assert all(len(str(letter.as_json())) < 2_000 for letter in letters)


@pytest.mark.parametrize(
    ("sizes", "pages"),
    [
        ([3 * MIB] * 12, 12 + 1),  # one at a time, and the empty page that ends it
        ([100] * 300, 10),
        ([100] * 10 + [3 * MIB] * 4, 4 + 4 + 1),
    ],
    ids=["large", "small", "both"],
)
def test_no_more_large_letters_are_asked_for_at_once_than_need_be(
    sizes: list[int], pages: int, own_server: Server
) -> None:
    keys = Keyspace("")
    with connect(own_server) as client:
        for number, size in enumerate(sizes):
            client.xadd(keys.dead_letters(), {"origin": f"{number + 1}-1", "reason": "r" * size, "consumer": "b"})
        with closing(open_endpoint(EndpointSettings(url=parse_url(own_server.url)))) as endpoint:
            client.config_resetstat()
            assert len(DeadLetters(endpoint, keys).list_letters()) == len(sizes)
        asked: Any = client.info("commandstats")
    assert asked["cmdstat_xrange"]["calls"] <= pages


def test_one_letter_proves_that_all_are_ours(own_server: Server) -> None:
    """Of letters of 8 MiB no more than one is held at once: what the server sends to a client tells."""
    keys = Keyspace("")
    HandOver(own_server.url, keys).produce(count=10)
    with connect(own_server) as client:
        for number in range(6):
            client.xadd(keys.dead_letters(), {"origin": f"{number + 1}-1", "reason": "r" * 8 * MIB, "consumer": "b"})
        client.config_resetstat()
        assert run_program("server-a", "status", server=own_server).exit_code == 65
        sent: Any = client.info("stats")["total_net_output_bytes"]
        assert sent < 2 * 8 * MIB
        HandOver(own_server.url, keys).consume()
        sent_to_both: Any = client.info("stats")["total_net_output_bytes"]
    assert sent_to_both - sent < 2 * 8 * MIB


def _add_large_letters(client: redis.Redis, number: int) -> None:
    for origin in range(1, number + 1):
        client.xadd("{signals}:dead", {"origin": f"{origin}-1", "reason": "r" * 8 * MIB, "consumer": "b"})


def test_a_letter_is_added_beside_large_ones_of_which_one_at_a_time_is_held(own_server: Server) -> None:
    hand_over = HandOver(own_server.url, Keyspace(""))
    hand_over.produce(count=10)
    with connect(own_server) as client:
        _add_large_letters(client, 8)
        client.xadd("signals", {"no": "signal"})
        hand_over.produce(count=10)
        tracemalloc.start()
        try:
            hand_over.consume()
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert client.xlen("{signals}:dead") == 9
    assert peak_bytes < 4 * 8 * MIB


def test_a_purge_reads_one_large_letter(own_server: Server) -> None:
    HandOver(own_server.url, Keyspace("")).produce(count=10)
    with connect(own_server) as client:
        _add_large_letters(client, 6)
        client.config_resetstat()
        ended = run_program("server-a", "purge", "--dry-run", server=own_server)
        assert ended.exit_code == 0, ended.stderr
        sent: Any = client.info("stats")["total_net_output_bytes"]
    assert sent < 2 * 8 * MIB
