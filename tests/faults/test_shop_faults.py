"""Faults while the sample shop is written: others' keys stay, what is missing is written, and the counts are right."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from server_a.shop import sample_writer
from shared.errors import EndpointUnreachableError, InvalidInputError
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink, resp
from tests.stage.hand_over_in_process import HandOver
from tests.stage.programs import run_program
from tests.stage.servers import Kind, NewServer, connect
from tests.stage.shop_fixtures import sample_keys
from tests.stage.status_checks import begun_run

if TYPE_CHECKING:
    import redis

SIZE: dict[str, Any] = {"skus": 10, "users": 25, "carts": 15}
OTHERS = (3, 12, 17, 33, 34, 49)  # the records whose keys somebody else has made

Fault = Callable[[FaultyLink, bytes], None]


@pytest.fixture
def names(keys: Keyspace, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sample's keys, some of them somebody else's; it has two portions and a half, of four batches each."""
    monkeypatch.setattr(sample_writer, "PORTION_RECORDS", 20)
    monkeypatch.setattr(sample_writer, "BATCH_RECORDS", 5)
    monkeypatch.setattr(sample_writer, "FEW_RECORDS", 1)
    found = sample_keys(keys, **SIZE)
    for record in OTHERS:
        client.set(found[record], "somebody else's")
    return found


def require_whole(client: redis.Redis, names: list[str]) -> None:
    """Check that others' keys are as they were, and that there are hashes at all the others."""
    for record, name in enumerate(names):
        assert client.type(name) == (b"string" if record in OTHERS else b"hash"), name
        assert record not in OTHERS or client.get(name) == b"somebody else's"


def cut(link: FaultyLink, request: bytes) -> None:
    link.at(request, lambda: None, is_forwarded=False)


def lose_reply(link: FaultyLink, request: bytes) -> None:
    link.lose_reply(request)


@pytest.mark.parametrize("fault", [cut, lose_reply])
@pytest.mark.parametrize(
    ("command", "record"),
    [
        *(("HSET", record) for record in (0, 5, 11, 20, 26, 40, 45)),
        *(("EXISTS", record) for record in (0, 5, 11, 20, 45)),
    ],
)
@pytest.mark.parametrize("is_resumed", [False, True], ids=["waited_out", "resumed"])
def test_a_lost_connection_neither_hides_nor_adds_a_kept_record(
    hand_over: HandOver, link: FaultyLink, client: redis.Redis, names: list[str], *,
    fault: Fault, command: str, record: int, is_resumed: bool,
) -> None:  # fmt: skip
    """The fault comes in the middle of a portion, or of the look at it; with `resumed` the run ends there."""
    fault(link, resp(command, names[record]))
    if not is_resumed:
        summary = hand_over.produce(url=link.url, count=10, **SIZE)
    else:
        with pytest.raises(EndpointUnreachableError):
            hand_over.produce(url=link.url, count=10, **SIZE, patience_s=0)
        begun = client.exists(hand_over.keys.run(run_id := begun_run(hand_over)))
        summary = hand_over.produce(count=10, **({"resume": run_id} if begun else SIZE))
    assert summary.shop_kept == len(OTHERS)
    require_whole(client, names)


def test_what_is_lost_after_an_outage_is_written_again_and_not_counted(
    hand_over: HandOver, link: FaultyLink, client: redis.Redis, names: list[str]
) -> None:
    lost = [names[record] for record in (0, 11, 26, 45)]
    link.at(b"XADD", lambda: client.unlink(*lost), is_forwarded=False)
    assert hand_over.produce(url=link.url, count=10, **SIZE).shop_kept == len(OTHERS)
    require_whole(client, names)


def test_a_resumed_run_writes_what_was_lost_and_counts_as_before(
    hand_over: HandOver, client: redis.Redis, names: list[str]
) -> None:
    run_id = hand_over.produce(count=10, **SIZE).run_id
    client.unlink(names[0], names[12], names[45])
    assert hand_over.produce(resume=run_id).shop_kept == len(OTHERS)
    assert client.type(names[0]) == client.type(names[12]) == client.type(names[45]) == b"hash"


def test_a_resumed_run_overwrites_as_its_record_says(
    hand_over: HandOver, link: FaultyLink, client: redis.Redis, keys: Keyspace
) -> None:
    for is_given in (False, True):
        client.hset(keys.user("1"), "first_name", "X")
        cut(link, resp("HSET", keys.user("1")))
        with pytest.raises(EndpointUnreachableError):
            hand_over.produce(url=link.url, count=10, overwrite=True, patience_s=0)
        run_id = begun_run(hand_over)
        summary = hand_over.produce(resume=run_id, overwrite=is_given)
        assert client.hget(keys.user("1"), "first_name") == b"Parker"
        assert (summary.run_id, summary.shop_kept) == (run_id, 0)
        client.unlink(keys.sku("sku123"), keys.sku("sku456"), keys.cart("1"), keys.user("1"))


def test_overwriting_contradicts_a_run_that_was_begun_without(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    client.hset(keys.user("1"), "first_name", "X")
    run_id = hand_over.produce(count=10).run_id
    with pytest.raises(InvalidInputError) as caught:
        hand_over.produce(resume=run_id, overwrite=True)
    assert (caught.value.exit_code, caught.value.where) == (2, "--overwrite")
    assert client.hgetall(keys.user("1")) == {b"first_name": b"X"}


def test_a_server_that_is_full_in_the_middle_of_the_shop(
    new_server: NewServer, server_kind: Kind, namespace: str
) -> None:
    server = new_server(server_kind, "--maxmemory-policy", "noeviction")
    with FaultyLink(server.port) as full, connect(server) as client:
        full.at(b":user:1500\r", lambda: client.config_set("maxmemory", "4mb"))  # after A has compared the memory
        arguments = ("run", "--users", "100000", "--count", "10")
        ended = run_program("server-a", *arguments, server=full.url, namespace=namespace)
    assert (ended.exit_code, ended.stdout) == (75, "")
    assert "memory" in ended.stderr
    found = re.search(r"go on with: server-a run --resume (\S+)", ended.stderr)
    assert found
    with connect(server) as client:
        assert 1_000 < client.dbsize() < 100_000
        client.config_set("maxmemory", 0)
        resumed = run_program("server-a", "run", "--resume", found[1], "--json", server=server, namespace=namespace)
        assert resumed.json()["shop_kept"] == 0
        assert client.exists(*(f"{namespace}:user:{number}" for number in range(1, 100_001))) == 100_000
