"""A read-only replica: server-b follows it, and server-a refuses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.stage.faulty_link import FaultyLink
from tests.stage.following import reports_of, wait_for_report
from tests.stage.programs import Name, StartProgram, run_program
from tests.stage.raw import call, is_in_step
from tests.stage.replicas import ReplicatedPair
from tests.stage.runs import consume, json_of, produce, require_exact, require_one_sentence, staging_keys
from tests.stage.servers import NewServer
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]

RUN = ("--count", "30000", "--segment-values", "10000")
ONCE = ("run", "--once", "--json", "--wait-s", "30")


@pytest.fixture
def state(tmp_path: Path) -> dict[str, str]:
    """The environment for server-b: its checkpoints lie in a directory of the test's own."""
    return {"XDG_STATE_HOME": str(tmp_path)}


def test_a_consumer_follows_with_a_checkpoint_for_each_endpoint_and_namespace(
    pair: ReplicatedPair, state: dict[str, str], tmp_path: Path
) -> None:
    run_ids = []
    for namespace in ("", "shop1"):
        summary = produce(pair.primary.url, *RUN, namespace=namespace)
        report = consume(pair.replica.url, namespace=namespace, env=state)
        require_exact(summary, report)
        assert (report["mode"], report["endpoint"]) == ("follow", pair.replica.url)
        run_ids.append(summary["run_id"])

    checkpoints = [json.loads(path.read_text()) for path in (tmp_path / "handover").glob("*.json")]
    assert sorted(list(checkpoint["reported"]) for checkpoint in checkpoints) == [[run_id] for run_id in run_ids]
    assert call(pair.primary, "EXISTS", f"{{signals}}:result:{run_ids[0]}", "{signals}:dead") == 0
    assert call(pair.primary, "XINFO", "GROUPS", "signals") == []


@pytest.mark.parametrize(("program", "at_replica"), [("server-a", False), ("server-b", True)])
def test_status_says_that_a_consumer_that_follows_keeps_its_verdicts_to_itself(
    pair: ReplicatedPair, state: dict[str, str], program: Name, *, at_replica: bool
) -> None:
    require_exact(produce(pair.primary.url, *RUN), consume(pair.replica.url, env=state))

    ended = run_program(program, "status", server=pair.replica if at_replica else pair.primary)

    assert ended.exit_code == 75, ended
    assert "one that follows a replica keeps its verdicts to itself" in ended.stdout


@pytest.mark.parametrize("command", [("run",), ("user", "add", "1", "--first-name", "A", "--last-name", "B")])
def test_a_producer_refuses_a_replica_at_once(pair: ReplicatedPair, command: tuple[str, ...]) -> None:
    ended = run_program("server-a", *command, server=pair.replica.url, timeout_s=40)  # the patience is 60

    require_one_sentence(ended, 78, "read-only replica", "give the primary's URL")


def test_a_producer_gives_up_a_primary_that_stays_a_replica(pair: ReplicatedPair, start_program: StartProgram) -> None:
    producer = start_program("server-a", "run", "--count", "50000000", "--patience-s", "2", server=pair.primary.url)
    wait_until(lambda: staging_keys(pair.primary), description="the producer writes")

    call(pair.replica, "REPLICAOF", "NO", "ONE")
    call(pair.primary, "REPLICAOF", "127.0.0.1", pair.replica.port)

    assert producer.wait(60) == 78, producer.errors()
    assert "read-only replica; give the primary's URL" in producer.errors().splitlines()[-1]


def test_a_failover_to_a_replica_that_is_behind_is_noticed_after_the_audit_too(pair: ReplicatedPair) -> None:
    """The address leads to the replica from the producer's last command on, when the audit has found nothing amiss."""
    pair.detach()
    call(pair.replica, "REPLICAOF", "NO", "ONE")
    with FaultyLink(pair.primary.port) as link:
        link.at(b"finished_ms", lambda: link.lead_to(pair.replica.port), nth=2, is_forwarded=False)

        summary = produce(link.url, *RUN)

    assert (summary["lost_acknowledged"], summary["attempts"], link.cuts) == (30_000, 6, 1)
    require_exact(summary, consume(pair.replica.url))


def test_an_audit_looks_where_new_connections_lead_though_the_open_ones_still_answer(pair: ReplicatedPair) -> None:
    """The old primary has lost its office, and nobody has told it."""
    pair.detach()
    call(pair.replica, "REPLICAOF", "NO", "ONE")
    with FaultyLink(pair.primary.port) as link:
        link.at(b"XADD", lambda: link.lead_to(pair.replica.port), nth=3)

        summary = produce(link.url, *RUN)

    assert (summary["lost_acknowledged"], summary["attempts"], link.cuts) == (30_000, 6, 0)
    require_exact(summary, consume(pair.replica.url))


@pytest.mark.parametrize("serves_stale_data", ["yes", "no"])
def test_a_consumer_waits_for_a_replica_that_is_behind(
    pair: ReplicatedPair, start_program: StartProgram, state: dict[str, str], serves_stale_data: str
) -> None:
    call(pair.replica, "CONFIG", "SET", "replica-serve-stale-data", serves_stale_data)
    pair.detach()
    summary = produce(pair.primary.url, *RUN)
    consumer = start_program("server-b", *ONCE, server=pair.replica.url, env=state)
    wait_until(lambda: "following a replica" in consumer.errors(), description="the consumer follows")
    assert consumer.output() == ""

    pair.attach()

    require_exact(summary, json_of(consumer))


def test_a_consumer_waits_for_a_replica_that_hangs(
    pair: ReplicatedPair, start_program: StartProgram, state: dict[str, str]
) -> None:
    consumer = start_program("server-b", *ONCE, server=pair.replica.url, env=state)
    wait_until(lambda: "following a replica" in consumer.errors(), description="the consumer follows")
    pair.replica.pause()
    summary = produce(pair.primary.url, *RUN)
    wait_until(lambda: "trying again" in consumer.errors(), description="the consumer noticed")

    pair.replica.resume()

    require_exact(summary, json_of(consumer))


def test_a_run_that_a_newer_one_replaced_is_passed_over(pair: ReplicatedPair, state: dict[str, str]) -> None:
    produce(pair.primary.url, *RUN)
    summary = produce(pair.primary.url, *RUN)
    wait_until(lambda: is_in_step(pair.primary, pair.replica), description="the replica is in step")

    require_exact(summary, consume(pair.replica.url, env=state))


def test_a_stream_older_than_the_checkpoint_is_read_from_its_beginning(
    pair: ReplicatedPair, new_server: NewServer, start_program: StartProgram, state: dict[str, str]
) -> None:
    """The replica is given to another primary, whose run is older: first while it is followed, then between two."""
    others = [new_server("valkey9") for _ in range(2)]
    older = [produce(other.url, *RUN) for other in others]
    newest = produce(pair.primary.url, *RUN)
    consumer = start_program("server-b", "run", "--json", server=pair.replica.url, env=state)
    wait_for_report(consumer, newest["run_id"])

    call(pair.replica, "REPLICAOF", "127.0.0.1", others[0].port)
    wait_for_report(consumer, older[0]["run_id"])
    consumer.close()
    call(pair.replica, "REPLICAOF", "127.0.0.1", others[1].port)
    wait_until(lambda: is_in_step(others[1], pair.replica), description="the replica has the other stream")

    require_exact(older[1], consume(pair.replica.url, env=state))


def test_a_consumer_follows_a_primary_that_became_a_replica(
    pair: ReplicatedPair, start_program: StartProgram, state: dict[str, str]
) -> None:
    old, new = pair.primary, pair.replica
    consumer = start_program("server-b", "run", "--json", server=old.url, env=state)
    first = wait_for_report(consumer, produce(old.url, *RUN)["run_id"])
    wait_until(lambda: is_in_step(old, new), description="the replica is in step")

    call(new, "REPLICAOF", "NO", "ONE")
    call(old, "REPLICAOF", "127.0.0.1", new.port)
    wait_until(lambda: is_in_step(new, old), description="the old primary follows")
    second = wait_for_report(consumer, produce(new.url, *RUN)["run_id"])

    assert [report["run_id"] for report in reports_of(consumer)] == [first["run_id"], second["run_id"]]
    assert (first["mode"], second["mode"]) == ("group", "follow")


def test_a_consumer_whose_primary_was_a_replica_for_a_while_comes_back_to_its_group(
    pair: ReplicatedPair, start_program: StartProgram, state: dict[str, str]
) -> None:
    consumer = start_program("server-b", "run", "--json", server=pair.primary.url, env=state)
    wait_until(lambda: "waiting for signals" in consumer.errors(), description="the consumer serves")
    call(pair.primary, "REPLICAOF", "127.0.0.1", 1)
    wait_until(lambda: "following it" in consumer.errors(), description="the consumer follows")
    call(pair.primary, "REPLICAOF", "NO", "ONE")
    wait_until(lambda: consumer.errors().count("waiting for signals") >= 2, description="the consumer serves again")

    summary = produce(pair.primary.url, *RUN, "--await-verdict-s", "30")

    assert wait_for_report(consumer, summary["run_id"])["mode"] == "group"


def test_a_consumer_that_was_started_at_a_replica_joins_the_group_of_the_primary_that_it_becomes(
    pair: ReplicatedPair, start_program: StartProgram, state: dict[str, str]
) -> None:
    call(pair.primary, "REPLICAOF", "127.0.0.1", 1)
    consumer = start_program("server-b", "run", "--json", server=pair.primary.url, env=state)
    wait_until(lambda: "following a replica" in consumer.errors(), description="the consumer follows")
    call(pair.primary, "REPLICAOF", "NO", "ONE")
    wait_until(lambda: "waiting for signals" in consumer.errors(), description="the consumer serves")

    summary = produce(pair.primary.url, *RUN, "--await-verdict-s", "30")

    assert wait_for_report(consumer, summary["run_id"])["mode"] == "group"


def test_a_run_is_reported_once_though_the_server_changes_its_role_again_and_again(
    pair: ReplicatedPair, start_program: StartProgram, state: dict[str, str]
) -> None:
    """What was followed gets its verdicts again in the group, since a replica took none."""
    first = produce(pair.primary.url, *RUN)
    call(pair.primary, "REPLICAOF", "127.0.0.1", 1)
    consumer = start_program("server-b", "run", "--json", server=pair.primary.url, env=state)
    assert wait_for_report(consumer, first["run_id"])["mode"] == "follow"
    for times in range(1, 4):
        call(pair.primary, "REPLICAOF", "NO", "ONE")
        served = "waiting for signals"
        wait_until(lambda: consumer.errors().count(served) >= times, description="the consumer serves")  # noqa: B023
        call(pair.primary, "REPLICAOF", "127.0.0.1", 1)
        wait_until(lambda: consumer.errors().count("following a replica") > times, description="it follows")  # noqa: B023
    call(pair.primary, "REPLICAOF", "NO", "ONE")
    last = produce(pair.primary.url, *RUN, "--await-verdict-s", "30")

    wait_for_report(consumer, last["run_id"])
    assert [report["run_id"] for report in reports_of(consumer)] == [first["run_id"], last["run_id"]]
