"""What lies between a cluster and us fails: a command whose reply is lost is not sent again by anybody but us.

redis-py's cluster client would send again what failed, ten times by default, and a write would be doubled.
"""

from __future__ import annotations

import pytest

from demo.servers import Server
from tests.stage.faulty_link import FaultyLink
from tests.stage.programs import StartProgram, run_program
from tests.stage.raw import call
from tests.stage.runs import json_of, produce, require_exact
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]


def test_what_is_added_to_a_cart(lone_node: Server, node_link: FaultyLink) -> None:
    call(lone_node, "HSET", "user:1", "first_name", "Ada", "last_name", "Lovelace")
    call(lone_node, "HSET", "sku:lamp", "name", "Lamp", "price", "12.50")
    node_link.lose_reply(b"HINCRBY")

    ended = run_program("server-a", "cart", "add", "1", "lamp", "--quantity", "3", server=node_link.url)

    assert (ended.exit_code, node_link.cuts) == (69, 1)
    assert "unknown" in ended.stderr
    assert call(lone_node, "HGET", "cart:1", "lamp") == b"3"


def test_a_dead_letter_that_is_signalled_again(lone_node: Server, node_link: FaultyLink) -> None:
    """The signal and the end of the letter are one transaction, so a letter that is still there was not signalled."""
    produced = run_program("server-a", "run", "--count", "10", server=lone_node)  # so that the stream is ours
    assert produced.exit_code == 0, produced.stderr
    call(
        lone_node,
        "XADD",
        "{signals}:dead",
        "*",
        "origin",
        "1-0",
        "reason",
        "broken",
        "consumer",
        "b",
        "field:count",
        "none",
    )
    node_link.lose_reply(b"XADD")

    ended = run_program("server-b", "dead", "retry", server=node_link.url)

    assert (ended.exit_code, node_link.cuts) == (69, 1)
    assert call(lone_node, "XLEN", "signals") == 2
    assert call(lone_node, "XLEN", "{signals}:dead") == 0


def test_a_dead_letter(lone_node: Server, node_link: FaultyLink) -> None:
    """It is settled again, and the letter that the lost transaction has added is found; a second would be a copy."""
    produced = run_program("server-a", "run", "--count", "10", server=lone_node)  # so that the stream is ours
    assert produced.exit_code == 0, produced.stderr
    call(lone_node, "XADD", "signals", "*", "count", "none")
    node_link.lose_reply(b"XADD")

    ended = run_program("server-b", "run", "--wait-s", "2", server=node_link.url)
    listed = run_program("server-b", "dead", "list", server=node_link.url)

    assert (ended.exit_code, node_link.cuts) == (75, 1)
    assert call(lone_node, "XLEN", "{signals}:dead") == 1
    assert call(lone_node, "XPENDING", "signals", "server-b")[0] == 0
    assert len(listed.stdout.splitlines()) == 1


def test_a_cluster_whose_addresses_have_all_changed_is_found_again_at_the_url(
    lone_node: Server, node_link: FaultyLink, start_program: StartProgram
) -> None:
    consumer = start_program("server-b", "run", "--once", "--json", server=lone_node)
    wait_until(lambda: "waiting for signals" in consumer.errors(), description="the consumer waits for signals")
    with FaultyLink(lone_node.port) as moved:
        call(lone_node, "CONFIG", "SET", "cluster-announce-port", moved.port)
        node_link.close()

        summary = produce(lone_node.url)

        require_exact(summary, json_of(consumer))
