"""Every command of both programs, carried out as the users of deploy/acl."""

from __future__ import annotations

from dataclasses import replace

from shared.endpoint.published import LOOK_BACK
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP, Signal
from shared.verdict import SegmentVerdict
from tests.stage.access_rules import Guarded
from tests.stage.hand_over_in_process import DIGEST, OLDER
from tests.stage.servers import connect


def run_every_other_command_of_server_a(guarded: Guarded) -> None:
    """Carry out each command of server-a but `run` with all its options, and `purge`; the server is empty before."""
    keys = Keyspace(guarded.namespace)
    guarded.run("server-a", "run", "--count", "2500", "--segment-values", "1000")
    guarded.run("server-a", "run", "--count", "10")
    for kind, options in (
        ("user", ("--first-name", "A", "--last-name", "L")),
        ("sku", ("--name", "N", "--price", "1")),
    ):
        guarded.run("server-a", kind, "add", "x", *options)
        guarded.run("server-a", kind, "show", "x")
        guarded.run("server-a", kind, "list")
    guarded.run("server-a", "cart", "add", "x", "x", "--quantity", "2")
    for _ in range(2):
        guarded.run("server-a", "cart", "remove", "x", "x")
    guarded.run("server-a", "cart", "remove", "x", "none", codes=(2,))
    guarded.run("server-a", "cart", "show", "x")
    guarded.run("server-a", "user", "remove", "x")
    guarded.run("server-a", "sku", "remove", "x")
    with connect(guarded.server) as client:
        for group in ("", CONSUMER_GROUP):
            if group:
                client.xgroup_create(keys.signals(), group, id="0")
            guarded.run("server-a", "status", codes=(75,))
    guarded.run("server-a", "check", "--peer-url", guarded.url("server-b"))
    with connect(guarded.server) as client:  # as a server does that evicts keys
        client.delete(keys.state(keys.segment(1)))
    guarded.run("server-a", "run", "--count", "10")


def run_every_purge(guarded: Guarded) -> None:
    """Purge keys of every kind; the server is empty afterwards."""
    keys = Keyspace(guarded.namespace)
    with connect(guarded.server) as client:  # what only an interrupted run, and server-b, leave
        client.hset(keys.canary(OLDER), "sent", OLDER)
        client.hset(keys.result(OLDER), "1", SegmentVerdict("verified", OLDER, 1, 1, 10, DIGEST).encode())
        client.hset(keys.reading(), "b", f"{OLDER} 1 5 400 1577836800001")
        client.xadd(keys.dead_letters(), {"origin": "1-1", "reason": "r", "consumer": "c"})
        for stream in (keys.dead_letters(), keys.signals()):
            for _ in range(LOOK_BACK):
                client.xadd(stream, {"no": "entry of ours"})  # so that older ones tell whose the stream is
            client.xgroup_create(stream, "workers")  # of others: the stream is emptied and stays
        client.delete(keys.state(keys.segment(1)))
    guarded.purge("--dry-run", "--shop")
    guarded.purge("--yes", "--shop")
    with connect(guarded.server) as client:
        for stream in (keys.dead_letters(), keys.signals()):
            client.xgroup_destroy(stream, "workers")
    guarded.purge("--yes")


def run_every_command_of_server_b(guarded: Guarded) -> None:
    """Carry out each command of server-b on a server that holds a run of 2,500 values in three segments."""
    keys = Keyspace(guarded.namespace)
    guarded.run("server-b", "status", codes=(75,))
    guarded.run("server-b", "run", "--once", "--wait-s", "30")
    guarded.run("server-b", "report", "--json")
    assert guarded.run("server-b", "read", "--limit", "2").stdout.split() == ["2500", "2499"]
    with connect(guarded.server) as client:
        run_id = client.hget(keys.state(keys.segment(1)), "run_id").decode()
        wrong = SegmentVerdict.decode(client.hget(keys.result(run_id), "1") or b"")
        assert wrong is not None
        client.hset(keys.result(run_id), "1", replace(wrong, verdict="failed").encode())
        guarded.run("server-b", "explain", run_id)
        client.hset(keys.result(run_id), "1", wrong.encode())
        for field in ("first", "second"):
            client.xadd(keys.signals(), {field: "no signal"})
        client.xadd(keys.signals(), Signal(OLDER, OLDER, 99, 99, 10, DIGEST).encode())
    waiting = ("--once", "--wait-s", "1", "--settle-s", "0.5", "--claim-idle-ms", "100", "--max-deliveries", "1")
    guarded.run("server-b", "run", *waiting, "--consumer", "named", codes=(75,))
    guarded.run("server-b", "dead", "list")
    guarded.run("server-b", "report", "--json")
    guarded.retry()
    guarded.run("server-b", "run", *waiting, codes=(75,))
    guarded.run("server-b", "dead", "drop")
    guarded.run("server-b", "status", codes=(0, 65, 75))
    with connect(guarded.server) as client:
        client.set(keys.dead_letters(), "somebody else's")
        client.xadd(keys.signals(), {"third": "no signal"})
    guarded.run("server-b", "run", *waiting, codes=(78,))
