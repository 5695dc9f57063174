"""A transaction whose EXEC is carried out without an answer, never arrives, or arrives when its sender is gone.

After WATCH redis-py raises WatchError for a lost connection as for a conflict. Who takes the one for the other and
tries again does twice what must happen once.
"""

from __future__ import annotations

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink, resp
from tests.stage.hand_over_by_programs import lines_of
from tests.stage.hand_over_in_process import list_keys, numbers, stored_values
from tests.stage.programs import StartProgram, run_program
from tests.stage.transaction_stage import SEGMENTS, Fault, Stage, faults, stage
from tests.stage.waiting import wait_until

__all__ = ["stage"]

first_or_last = pytest.mark.parametrize("nth", [1, SEGMENTS])


@faults
@pytest.mark.parametrize("held", [None, 5])
def test_a_cart_change_is_made_once_at_most_and_said_to_be_unknown(
    stage: Stage, fault: Fault, held: int | None
) -> None:
    cart = stage.keys.cart("1")
    stage.client.hset(stage.keys.user("1"), mapping={"first_name": "Parker", "last_name": "Perry"})
    stage.client.hset(stage.keys.sku("sku123"), mapping={"name": "AirPods", "price": "95.00"})
    if held:
        stage.client.hset(cart, "sku123", held)
    stage.inject(fault, resp("HINCRBY", cart))
    ended = stage.run("server-a", "cart", "add", "1", "sku123", "--quantity", "2", url=stage.link.url)
    assert ended.exit_code == 69, ended.stderr
    assert "unknown" in ended.stderr
    assert "server-a cart show 1" in ended.stderr
    assert ended.stdout == ""
    stage.check_injected(fault, commands=1)
    expected = (held or 0) + (0 if fault == "never" else 2)
    assert stage.client.hgetall(cart) == ({b"sku123": b"%d" % expected} if expected else {})


@faults
@pytest.mark.parametrize("nth", range(1, SEGMENTS + 1))
def test_a_segment_is_published_once_and_signalled_once(stage: Stage, fault: Fault, nth: int) -> None:
    stage.inject(fault, resp("RENAME"), nth=nth)
    summary = stage.produce(url=stage.link.url)
    stage.check_injected(fault, commands=5)
    assert summary["attempts"] == SEGMENTS + (0 if fault == "lost" else 1)
    assert summary["lost_acknowledged"] == 0
    assert summary["outage_s"] > 0
    assert stored_values(stage.client, stage.keys, SEGMENTS) == numbers(10 * SEGMENTS)
    assert len(list_keys(stage.client, stage.keys)) == SEGMENTS
    signalled = sorted((int(fields[b"segment"]), fields[b"run_id"]) for _, fields in stage.entries())
    assert signalled == [(number, summary["run_id"].encode()) for number in range(1, SEGMENTS + 1)]
    report = stage.consume()
    assert [report[name] for name in ("run_id", "verdict", "digest")] == [
        summary["run_id"], "verified", summary["digest"],
    ]  # fmt: skip
    stage.require_verdicts(summary["run_id"], SEGMENTS, "verified")


@faults
@first_or_last
def test_a_verdict_is_given_once(stage: Stage, fault: Fault, nth: int) -> None:
    run_id = stage.produce()["run_id"]
    stage.inject(fault, resp("HSET", stage.keys.result(run_id)), nth=nth)
    report = stage.consume(url=stage.link.url)
    stage.check_injected(fault, commands=4)
    assert (report["run_id"], report["verdict"]) == (run_id, "verified")
    stage.require_verdicts(run_id, SEGMENTS, "verified")
    assert not stage.client.exists(stage.keys.dead_letters())


@faults
def test_a_dead_letter_is_written_once(stage: Stage, fault: Fault) -> None:
    run_id = stage.produce_around_a_bad_entry()["run_id"]
    stage.inject(fault, resp("XADD", stage.keys.dead_letters()))
    report = stage.consume(url=stage.link.url)
    stage.check_injected(fault, commands=2)
    assert (report["run_id"], report["verdict"]) == (run_id, "verified")
    stage.require_verdicts(run_id, 2, "verified")
    stage.require_letter(*stage.entries()[1])


@faults
def test_a_failed_verdict_and_its_dead_letter_are_written_once(stage: Stage, fault: Fault) -> None:
    run_id = stage.produce(segments=1)["run_id"]
    stage.take_list_away()
    stage.inject(fault, resp("HSET", stage.keys.result(run_id)))
    report = stage.give_up(url=stage.link.url)
    stage.check_injected(fault, commands=5)
    assert (report["run_id"], report["verdict"]) == (run_id, "failed")
    stage.require_verdicts(run_id, 1, "failed")
    stage.require_letter(*stage.entries()[0])


@faults
def test_a_letter_is_signalled_again_once_however_often_it_is_retried(stage: Stage, fault: Fault) -> None:
    run_id = stage.produce(segments=1)["run_id"]
    stage.take_list_away()
    stage.give_up()
    stage.bring_list_back()
    stage.inject(fault, resp("XADD", stage.keys.signals()))
    ended = stage.run("server-b", "dead", "retry", url=stage.link.url)
    if ended.exit_code != 0:  # whether it happened is unknown: who is told so tries again
        assert ended.exit_code in {69, 75}, ended.stderr
        ended = stage.run("server-b", "dead", "retry")
        assert ended.exit_code == 0, ended.stderr
    stage.check_injected(fault, commands=3)
    (_, first), (_, second) = stage.entries()
    assert first == second
    assert stage.client.xlen(stage.keys.dead_letters()) == 0
    assert not stage.client.exists(stage.keys.result(run_id))
    assert stage.consume()["verdict"] == "verified"
    stage.require_verdicts(run_id, 1, "verified")


def test_a_serving_consumer_reports_a_run_whose_last_verdict_had_no_answer(
    server: Server, namespace: str, link: FaultyLink, start_program: StartProgram
) -> None:
    """It finds its own verdict recorded when it tries again, and nobody else can report the run."""
    arguments = ("run", "--count", "30", "--segment-values", "10", "--json")
    summary = run_program("server-a", *arguments, server=server, namespace=namespace).json()
    link.lose_reply(b"XACK", nth=3)
    consumer = start_program("server-b", "run", "--json", server=link.url, namespace=namespace)
    wait_until(lambda: lines_of(consumer), description="the run is reported")
    assert [line["run_id"] for line in lines_of(consumer)] == [summary["run_id"]]


@pytest.mark.parametrize("of", ["verdicts", "cart"])
def test_a_serving_consumer_that_loses_its_connection_before_the_report_makes_it_all_the_same(
    *, server: Server, namespace: str, keys: Keyspace, link: FaultyLink, start_program: StartProgram, of: str
) -> None:
    """The entry is acknowledged by then, so no other delivery would bring the report."""
    summary = run_program("server-a", "run", "--json", server=server, namespace=namespace).json()
    asked = resp("HMGET", keys.result(summary["run_id"])) if of == "verdicts" else resp("HSCAN", keys.cart("1"))
    link.at(asked, lambda: None, is_forwarded=False)
    consumer = start_program("server-b", "run", "--json", server=link.url, namespace=namespace)
    wait_until(lambda: lines_of(consumer), description="the run is reported")
    assert [line["run_id"] for line in lines_of(consumer)] == [summary["run_id"]]
