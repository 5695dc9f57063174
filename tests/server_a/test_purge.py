"""`server-a purge` removes every key of ours under one namespace, and no other key, whatever its name looks like."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from demo.parent import ending_with_us
from demo.servers import Server
from server_a.purge.purge import Purge
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace
from shared.state import SegmentState
from shared.verdict import SegmentVerdict
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN, HandOver
from tests.stage.programs import Finished, environment_of, run_program
from tests.stage.servers import connect
from tests.stage.unread import run_unread

if TYPE_CHECKING:
    import redis


def _make_everything(server: Server, client: redis.Redis, keys: Keyspace) -> set[bytes]:
    """Leave a key of every kind that the programs write in a namespace; return those that a purge is to remove."""
    before = _keys(client)
    both = HandOver(server.url, keys)
    both.produce(count=50, segment_values=10, users=3, skus=3, carts=2)
    client.xadd(keys.signals(), {"made": "up"})  # becomes a dead letter
    both.produce(count=20, segment_values=10)  # leaves states of count 0
    both.consume()
    client.rpush(keys.staging(keys.segment(2), RUN), "1")
    client.hset(keys.canary(RUN), "sent", RUN)
    made = _keys(client) - before
    kinds = {keys.kind_of(key.decode()) for key in made}
    wanted = {
        "user",
        "sku",
        "cart",
        "segment",
        "state",
        "staging",
        "run",
        "result",
        "signals",
        "dead_letters",
        "canary",
    }
    assert wanted <= kinds
    assert None not in kinds
    return {key for key in made if keys.kind_of(key.decode()) != "staging"}


def _make_foreign(client: redis.Redis, keys: Keyspace) -> None:
    """Put down what is not ours though its name or its contents look like it."""
    prefix = keys.prefix
    client.hset(f"{prefix}user:9", mapping={"email": "a@example.org", "last_name": "Perry"})
    client.hset(f"{prefix}user:1:profile", mapping={"first_name": "Parker", "last_name": "Perry"})
    client.rpush(f"{prefix}user:10", "Parker")
    client.hset(f"{prefix}sku:9", mapping={"title": "a sku", "price": "1.00"})
    client.set(f"{prefix}cart:9", "a string")
    client.hset(f"{prefix}cart:8", mapping={"sku123": "1", "total": "19.90"})
    client.rpush(f"{prefix}biglist:77", "theirs")  # without a state
    client.rpush(f"{prefix}biglist:78", "theirs")
    client.hset(f"{{{prefix}biglist:78}}:state", mapping={"run_id": "theirs", "count": "1"})
    client.hset(f"{{{prefix}biglist:79}}:state", mapping={"colour": "green"})
    client.rpush(f"{{{prefix}biglist:2}}:staging:theirs", "theirs")
    client.hset(f"{{{prefix}biglist:2}}:staging:{OLDER}", "their", "hash")
    client.hset(f"{prefix}run:theirs", mapping={"schema_version": "1", "run_id": "theirs"})
    client.hset(f"{prefix}run:{OLDER}", mapping={"run_id": OLDER})
    client.set(keys.result(OLDER), "a string")
    client.hset(keys.result("mine"), "1", "{}")
    client.xadd(f"{prefix}signals:mine", {"their": "entry"})
    client.hset(f"{prefix}canary:{OLDER}", "colour", "yellow")
    client.hset(f"other-{prefix}user:1", mapping={"first_name": "Parker", "last_name": "Perry"})


def _keys(client: redis.Redis) -> set[bytes]:
    return set(client.scan_iter(count=1000))


def _contents(client: redis.Redis) -> dict[bytes, object]:
    """Return what every key of the server holds."""
    return {key: client.dump(key) for key in _keys(client)}


@pytest.mark.parametrize(("own", "others"), [("", "shop1"), ("shop1", ""), ("shop1", "shop11"), ("shop11", "shop1")])
def test_everything_of_ours_goes_and_nothing_else(own_server: Server, own: str, others: str) -> None:
    with connect(own_server) as client:
        _make_everything(own_server, client, Keyspace(others))
        ours = _make_everything(own_server, client, Keyspace(own))
        for namespace in (own, others):
            _make_foreign(client, Keyspace(namespace))
        foreign = {key: content for key, content in _contents(client).items() if key not in ours}
        ended = run_program("server-a", "purge", "--yes", "--shop", server=own_server, namespace=own)
        assert (ended.exit_code, ended.stdout.splitlines()[-1]) == (0, f"Removed {len(ours)} keys."), ended
        assert _contents(client) == foreign


def test_keys_that_only_have_the_names_of_ours_stay(own_server: Server) -> None:
    """Not even a run could be written here; whoever purges by mistake loses nothing."""
    with connect(own_server) as client:
        client.rpush("biglist", "theirs")
        client.rpush("signals", "theirs")
        client.set("{signals}:dead", "theirs")
        client.set("{biglist}:state", "theirs")
        client.hset("{biglist:2}:state", mapping={**SegmentState(RUN, RUN, 5, DIGEST).encode(), "count": "many"})
        before = _contents(client)
        ended = run_program("server-a", "purge", "--yes", server=own_server)
        assert (ended.exit_code, ended.stdout.splitlines()[-1]) == (0, "Removed 0 keys."), ended
        assert _contents(client) == before


def _purge_on_a_terminal(server: Server, namespace: str, answer: str) -> Finished:
    """Run the command with a terminal for its input, into which somebody has typed an answer already."""
    ours, its = os.openpty()
    try:
        os.write(ours, f"{answer}\n".encode())
        ended = subprocess.run(
            [sys.executable, "-m", "server_a", "purge"],
            stdin=its,
            capture_output=True,
            env=environment_of("server-a", server=server, namespace=namespace, env=None),
            timeout=60,
            check=False,
            start_new_session=True,
            preexec_fn=ending_with_us(),
        )
    finally:
        os.close(ours)
        os.close(its)
    return Finished(ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.parametrize("answer", ["n", "N", "", "no"])
def test_whoever_does_not_say_yes_keeps_everything(
    hand_over: HandOver, server: Server, client: redis.Redis, keys: Keyspace, answer: str
) -> None:
    hand_over.produce(count=10)
    before = _contents(client)
    ended = _purge_on_a_terminal(server, keys.namespace, answer)
    assert ended.exit_code == 0, ended
    assert f", namespace {keys.namespace}? [y/N]: " in ended.stdout
    assert server.url.removesuffix("/0") in ended.stdout
    assert ended.stdout.endswith("Nothing was removed.\n")
    assert _contents(client) == before


@pytest.mark.parametrize("answer", ["y", "yes"])
def test_whoever_says_yes_is_told_how_much_went(
    hand_over: HandOver, server: Server, client: redis.Redis, keys: Keyspace, answer: str
) -> None:
    hand_over.produce(count=10, users=0, skus=0, carts=0)
    count = len(_keys(client))
    ended = _purge_on_a_terminal(server, keys.namespace, answer)
    assert (ended.exit_code, ended.stdout.endswith(f"Removed {count} keys.\n")) == (0, True), ended
    assert not _keys(client)


def test_without_a_terminal_or_yes_nothing_is_removed(
    hand_over: HandOver, server: Server, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    before = _contents(client)
    ended = run_program("server-a", "purge", server=server, namespace=keys.namespace, stdin=b"y\n")
    assert (ended.exit_code, ended.stdout) == (2, ""), ended
    assert "--yes" in ended.stderr
    assert _contents(client) == before


def test_whoever_said_yes_need_not_read_what_goes(
    hand_over: HandOver, server: Server, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    before = _contents(client)
    ended = run_unread("server-a", "purge", "--shop", "--dry-run", server=server, namespace=keys.namespace)
    assert (ended.exit_code, ended.stderr, _contents(client)) == (0, "", before), ended
    ended = run_unread("server-a", "purge", "--shop", "--yes", server=server, namespace=keys.namespace)
    assert (ended.exit_code, ended.stderr, _keys(client)) == (0, "", set()), ended


def test_a_dry_run_shows_by_kind_what_would_go_and_changes_nothing(own_server: Server) -> None:
    with connect(own_server) as client:
        ours = _make_everything(own_server, client, Keyspace())
        _make_foreign(client, Keyspace())
        before = _contents(client)
        shown = run_program("server-a", "purge", "--dry-run", "--shop", server=own_server)
        assert (shown.exit_code, _contents(client)) == (0, before), shown
        counts = [
            int(line.split()[0]) for line in shown.stdout.splitlines() if " ours " not in line and "key" in line[:15]
        ]
        assert sum(counts) == len(ours)
        for words in (
            "records of runs (run:2",
            "users (user:",
            "stream of signals (signals)",
            "end within the hour",
            "stay (",
        ):
            assert words in shown.stdout


def test_the_shop_stays_unless_it_is_asked_for(
    hand_over: HandOver, server: Server, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10, users=3, skus=3, carts=3)
    shop = {key for key in _keys(client) if keys.kind_of(key.decode()) in ("user", "sku", "cart")}
    assert len(shop) == 9
    for options, left in ((("--yes",), shop), (("--yes", "--shop"), set[bytes]())):
        assert run_program("server-a", "purge", *options, server=server, namespace=keys.namespace).exit_code == 0
        assert {key for key in _keys(client) if keys.prefix.encode() in key} == left


VERDICT = SegmentVerdict("failed", RUN, 1, 1, 9, DIGEST).encode()
OURS: dict[str, tuple[str, dict[str, str]]] = {
    "user": (Keyspace("{}").user("1"), {"first_name": "A", "last_name": "B"}),
    "sku": (Keyspace("{}").sku("1"), {"name": "A", "price": "1.00"}),
    "run": (Keyspace("{}").run(RUN), {"schema_version": "2", "run_id": RUN}),
    "canary": (Keyspace("{}").canary(RUN), {"sent": RUN}),
    "result": ("{{" + Keyspace("{}").signals() + "}}:result:" + RUN, {"1": VERDICT}),
    "state": ("{{" + Keyspace("{}").segment(7) + "}}:state", SegmentState(RUN, RUN, 5, DIGEST).encode()),
}  # fmt: skip
REPLACEMENTS: dict[str, Callable[[redis.Redis, str], object]] = {
    "field": lambda client, key: client.hset(key, mapping={"theirs": "1", "run_id": "theirs", "sent": "theirs"}),
    "string": lambda client, key: (client.delete(key), client.set(key, "theirs")),
    "list": lambda client, key: (client.delete(key), client.rpush(key, "theirs")),
    "hash": lambda client, key: (client.delete(key), client.hset(key, "theirs", "1")),
}


@pytest.mark.parametrize("replacement", REPLACEMENTS)
@pytest.mark.parametrize("kind", OURS)
def test_a_key_that_somebody_replaces_between_the_look_and_the_removal_stays(
    *, kind: str, replacement: str, link: FaultyLink, client: redis.Redis, keys: Keyspace
) -> None:
    pattern, fields = OURS[kind]
    key = pattern.format(keys.namespace)
    assert keys.kind_of(key) == kind
    client.hset(key, mapping=fields)  # type: ignore[arg-type]
    link.at(b"UNLINK", lambda: REPLACEMENTS[replacement](client, key))
    with closing(open_endpoint(EndpointSettings(url=parse_url(link.url)))) as endpoint:
        purge = Purge(endpoint, keys, with_shop=True)
        assert purge.remove(purge.survey()).keys == 0
    assert client.exists(key)
