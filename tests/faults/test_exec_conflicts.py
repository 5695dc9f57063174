"""Somebody else writes between WATCH and EXEC: the transaction does nothing, and what is there now decides anew."""

from __future__ import annotations

from typing import Any

from tests.stage.faulty_link import resp
from tests.stage.hand_over_in_process import entries_of
from tests.stage.programs import Finished
from tests.stage.transaction_stage import FOREIGN, Stage, stage

__all__ = ["stage"]


def test_a_verdict_that_came_meanwhile_stands_and_the_entry_is_acknowledged(stage: Stage) -> None:
    run_id = stage.produce(segments=1)["run_id"]
    stage.consume("--consumer", "first")
    result = stage.keys.result(run_id)
    (first,) = stage.client.hvals(result)
    assert b'"first"' in first  # the second consumer's verdict would be another text
    (_, signal), *_ = stage.entries()
    again: dict[Any, Any] = {**signal}
    stage.client.xadd(stage.keys.signals(), again)
    kept = stage.client.dump(result)
    stage.client.delete(result)

    def come_first() -> None:
        stage.client.restore(result, 1_000_000, kept)  # type: ignore[arg-type]

    stage.link.at(resp("HSET", result), come_first)
    report = stage.consume("--consumer", "second", url=stage.link.url)
    assert (report["run_id"], report["verdict"]) == (run_id, "verified")
    assert stage.client.hvals(result) == [first]
    stage.require_verdicts(run_id, 1, "verified")


def test_a_dead_letter_is_written_once_beside_one_that_came_meanwhile(stage: Stage) -> None:
    run_id = stage.produce_around_a_bad_entry()["run_id"]
    dead_letters = stage.keys.dead_letters()
    foreign: dict[Any, Any] = {**FOREIGN}
    stage.link.at(resp("XADD", dead_letters), lambda: stage.client.xadd(dead_letters, foreign))
    stage.consume(url=stage.link.url)
    stage.require_verdicts(run_id, 2, "verified")
    stage.require_letter(*stage.entries()[1])
    (_, first), _ = entries_of(stage.client, dead_letters)
    assert first == FOREIGN


def test_two_retries_at_once_signal_once(stage: Stage) -> None:
    run_id = stage.produce(segments=1)["run_id"]
    stage.take_list_away()
    stage.give_up()
    stage.bring_list_back()
    others: list[Finished] = []
    stage.link.at(resp("XADD", stage.keys.signals()), lambda: others.append(stage.run("server-b", "dead", "retry")))
    stage.run("server-b", "dead", "retry", url=stage.link.url)
    assert [(other.exit_code, other.stdout) for other in others] == [(0, "Signalled 1 again.\n")]
    assert len(stage.entries()) == 2
    assert stage.client.xlen(stage.keys.dead_letters()) == 0
    assert stage.consume()["verdict"] == "verified"
    stage.require_verdicts(run_id, 1, "verified")
