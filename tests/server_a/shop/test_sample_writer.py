"""The sample on real servers: what is there stays as it is and is counted, the rest is written."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server_a.shop import sample_writer as room
from server_a.shop.sample import Sample, sample_name
from server_a.shop.sample_writer import check_shop_size
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import InvalidInputError, NotFinishedError, WrongKeyError
from shared.keys import Keyspace
from shared.record import ShopCount
from shared.stopping import StopRequest
from tests.stage.clusters import Cluster
from tests.stage.shop_fixtures import endpoint, keys, sample_keys, sample_writer, write_shop
from tests.stage.turns import LONG_QUIET_S, TurnCounter

if TYPE_CHECKING:
    from demo.servers import Server

__all__ = ["endpoint", "keys"]

RECORDS = 50
SIZE: dict[str, Any] = {"skus": 10, "users": 25, "carts": 15}
OTHERS = ["the same", "other values", "other fields", "string", "list", "stream", "with a TTL"]
DEFAULT: dict[str, Any] = {"skus": 2, "users": 1, "carts": 1}


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes of the sample two portions and a half, of four batches each."""
    monkeypatch.setattr(room, "PORTION_RECORDS", 20)
    monkeypatch.setattr(room, "BATCH_RECORDS", 5)
    monkeypatch.setattr(room, "FEW_RECORDS", 1)


def make(endpoint: Endpoint, name: str, kind: str) -> None:
    """Make a key of somebody else's."""
    client = endpoint.at(name)
    if kind == "the same":
        client.hset(name, mapping={"first_name": "Parker", "last_name": "Perry"})
    elif kind == "other values":
        client.hset(name, mapping={"first_name": "X", "name": "Y", "sku123": "7"})
    elif kind == "other fields":
        client.hset(name, mapping={"email": "x@example.org", b"\xff": b"\x00"})
    elif kind == "list":
        client.rpush(name, "a", "b")
    elif kind == "stream":
        client.xadd(name, {"a": "b"}, id="1-1")
    else:
        client.set(name, b"\xff\x00", px=3_600_000 if kind == "with a TTL" else None)


def held(endpoint: Endpoint, names: list[str]) -> list[tuple[Any, int]]:
    """Return what keys hold, byte for byte, and when they end."""
    return [(endpoint.at(name).dump(name), endpoint.at(name).pexpiretime(name)) for name in names]


def require_left(endpoint: Endpoint, keys: Keyspace, made: dict[int, str]) -> None:
    """Write the sample where some of its keys, given by record, are others', and check every key."""
    names = sample_keys(keys, **SIZE)
    foreign = [names[record] for record in sorted(made)]
    for record, kind in made.items():
        make(endpoint, names[record], kind)
    before = held(endpoint, foreign)
    assert write_shop(endpoint, keys, **SIZE, seed=7) == ShopCount(looked=RECORDS, kept=len(made))
    assert held(endpoint, foreign) == before
    for number, name in enumerate(names):
        if number not in made:
            fields = endpoint.at(name).hgetall(name)
            assert fields, name
            if SIZE["skus"] <= number < SIZE["skus"] + SIZE["users"]:
                first, last = sample_name(7, number - SIZE["skus"] + 1)
                assert fields == {b"first_name": first.encode(), b"last_name": last.encode()}
    for name in names:
        endpoint.at(name).unlink(name)


@pytest.mark.parametrize("kind", OTHERS)
def test_a_key_of_any_kind_is_left_byte_for_byte(endpoint: Endpoint, keys: Keyspace, kind: str) -> None:
    for record in (0, 10, 35):  # a SKU, a user, a cart
        require_left(endpoint, keys, {record: kind})


subsets = st.dictionaries(st.integers(0, RECORDS - 1), st.sampled_from(OTHERS), max_size=RECORDS)
one_server_for_all = settings(
    max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@one_server_for_all
@given(made=subsets)
def test_any_of_them_are_left(endpoint: Endpoint, keys: Keyspace, small_portions: None, made: dict[int, str]) -> None:
    require_left(endpoint, keys, made)


@pytest.mark.cluster
@pytest.mark.kept_together("topologies")
@one_server_for_all
@given(made=subsets)
def test_any_of_them_are_left_in_a_cluster(cluster: Cluster, small_portions: None, made: dict[int, str]) -> None:
    with closing(open_endpoint(EndpointSettings(url=parse_url(cluster.url)))) as whole:
        require_left(whole, Keyspace(), made)


def test_all_of_them_are_left(endpoint: Endpoint, keys: Keyspace, small_portions: None) -> None:
    require_left(endpoint, keys, dict.fromkeys(range(RECORDS), "string"))


def test_a_second_run_keeps_what_the_first_wrote(endpoint: Endpoint, keys: Keyspace, small_portions: None) -> None:
    assert write_shop(endpoint, keys, **SIZE, seed=7).kept == 0
    before = held(endpoint, names := sample_keys(keys, **SIZE))
    assert write_shop(endpoint, keys, **SIZE, seed=8).kept == RECORDS
    assert held(endpoint, names) == before


def test_overwriting_writes_every_record(endpoint: Endpoint, keys: Keyspace, small_portions: None) -> None:
    write_shop(endpoint, keys, **SIZE, seed=7)
    names = sample_keys(keys, **SIZE)
    written = [endpoint.at(name).hgetall(name) for name in names]
    for name in names[:40]:
        endpoint.at(name).unlink(name)
        make(endpoint, name, "other fields")
    assert write_shop(endpoint, keys, **SIZE, seed=7, overwrite=True) == ShopCount(looked=0, kept=0)
    for name, fields in zip(names, written, strict=True):
        assert fields.items() <= endpoint.at(name).hgetall(name).items(), name


def test_a_key_of_another_type_is_named_where_it_would_be_overwritten(endpoint: Endpoint, keys: Keyspace) -> None:
    make(endpoint, name := sample_keys(keys, **SIZE)[37], "list")
    with pytest.raises(WrongKeyError) as caught:
        write_shop(endpoint, keys, **SIZE, overwrite=True)
    assert caught.value.where.startswith(f"{name} at ")


def test_a_repeated_pass_writes_what_was_lost_and_counts_nothing(
    endpoint: Endpoint, keys: Keyspace, small_portions: None
) -> None:
    names = sample_keys(keys, **SIZE)
    noted: list[ShopCount] = []
    make(endpoint, names[3], "other fields")
    with closing(StopRequest()) as stop:
        writer = sample_writer(endpoint, keys, Sample(**SIZE, seed=7), stop, on_counted=noted.append)
        writer.write()
        assert noted == [ShopCount(20, 1), ShopCount(40, 1), ShopCount(50, 1)]
        whole = held(endpoint, names)
        for name in names[10:30:3]:
            endpoint.at(name).unlink(name)
        writer.write()
    assert held(endpoint, names) == whole
    assert len(noted) == 3


def test_a_stop_request_is_noticed_within_a_portion(endpoint: Endpoint, keys: Keyspace) -> None:
    with closing(StopRequest()) as stop:
        stop.request()
        writer = sample_writer(endpoint, keys, Sample(**SIZE, seed=7), stop)
        with pytest.raises(NotFinishedError):
            writer.write()
    assert not any(endpoint.at(name).exists(name) for name in sample_keys(keys, **SIZE))


@pytest.mark.parametrize(("size", "looks"), [(DEFAULT, 4), ({"skus": 0, "users": 3_000, "carts": 0}, 3)])
def test_looking_costs_few_commands(server: Server, keys: Keyspace, size: dict[str, Any], looks: int) -> None:
    """Where nothing or everything is there, one EXISTS for a batch says so."""
    for _ in range(2):
        with (
            TurnCounter(server.port) as counter,
            closing(open_endpoint(EndpointSettings(url=parse_url(counter.url)))) as counted,
        ):
            write_shop(counted, keys, **size)
        sent = b"".join(turn.start for talk in counter.conversations.values() for turn in talk.turns)
        assert 0 < sent.count(b"EXISTS\r\n") <= looks, str(counter)


@pytest.mark.parametrize("is_mixed", [False, True])
def test_the_default_sample_takes_two_round_trips(server: Server, keys: Keyspace, *, is_mixed: bool) -> None:
    """One to look, one to write, on the one connection."""
    if is_mixed:
        with closing(open_endpoint(EndpointSettings(url=parse_url(server.url)))) as direct:
            write_shop(direct, keys, skus=1, users=1, carts=0)
    turns = []
    for size in (DEFAULT, None):
        with (
            TurnCounter(server.port, quiet_s=LONG_QUIET_S) as counter,
            closing(open_endpoint(EndpointSettings(url=parse_url(counter.url)))) as counted,
        ):
            if size:
                write_shop(counted, keys, **size)
        turns.append(counter.turns)
    assert turns[0] - turns[1] == 2


@pytest.mark.parametrize(("users", "skus", "carts"), [(1, 2, 1), (0, 0, 0), (3, 1, 3), (5, 0, 0)])
def test_sizes_that_go_together(users: int, skus: int, carts: int) -> None:
    check_shop_size(users=users, skus=skus, carts=carts)


@pytest.mark.parametrize(
    ("users", "skus", "carts", "option"),
    [(1, 2, 2, "--carts"), (0, 2, 1, "--carts"), (1, 0, 1, "--skus")],
)
def test_sizes_that_do_not(users: int, skus: int, carts: int, option: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check_shop_size(users=users, skus=skus, carts=carts)
    assert caught.value.where == option
