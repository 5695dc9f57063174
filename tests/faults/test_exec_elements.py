"""One command of a transaction fails inside EXEC, which carries out the others all the same: the end is exact.

The link replaces the key of that command by the key of a string, or its number by a text. What failed must be done
again, and what was done must not be: one verdict that expires, one dead letter, one new signal, and nothing pending.
"""

from __future__ import annotations

import pytest

from tests.stage.faulty_link import resp
from tests.stage.transaction_stage import RETAIN_MS, SEGMENTS, Stage, beside, stage

__all__ = ["stage"]

# The first and the last of three segments: the last verdict makes the run complete, and HLEN is what tells.
first_or_last = pytest.mark.parametrize("nth", [1, SEGMENTS])


def _fail_command(stage: Stage, anchor: bytes, command: str, key: str, *, nth: int = 1) -> None:
    """Have one command of the nth transaction with the anchor fail."""
    stage.make_strings_beside(key)
    if command == "PEXPIRE":  # it takes a key of any type
        number = str(RETAIN_MS)
        stage.fail_element(anchor, resp(command, key, number), resp(command, key, beside(number)), nth=nth)
    else:
        stage.fail_element(anchor, resp(command, key), resp(command, beside(key)), nth=nth)


@first_or_last
@pytest.mark.parametrize("command", ["HSET", "HLEN", "PEXPIRE", "XACK"])
def test_a_verdict_is_there_once_and_acknowledged(stage: Stage, command: str, nth: int) -> None:
    run_id = stage.produce()["run_id"]
    result = stage.keys.result(run_id)
    key = stage.keys.signals() if command == "XACK" else result
    _fail_command(stage, resp("HSET", result), command, key, nth=nth)
    report = stage.consume(url=stage.link.url)
    assert (report["run_id"], report["verdict"]) == (run_id, "verified")
    stage.require_verdicts(run_id, SEGMENTS, "verified")
    assert not stage.client.exists(stage.keys.dead_letters())


@pytest.mark.parametrize("command", ["XADD", "XACK"])
def test_a_dead_letter_is_there_once_and_acknowledged(stage: Stage, command: str) -> None:
    run_id = stage.produce_around_a_bad_entry()["run_id"]
    dead_letters = stage.keys.dead_letters()
    key = stage.keys.signals() if command == "XACK" else dead_letters
    _fail_command(stage, resp("XADD", dead_letters), command, key)
    report = stage.consume(url=stage.link.url)
    assert (report["run_id"], report["verdict"]) == (run_id, "verified")
    stage.require_verdicts(run_id, 2, "verified")
    stage.require_letter(*stage.entries()[1])


@pytest.mark.parametrize("command", ["HSET", "HLEN", "PEXPIRE", "XADD", "XACK"])
def test_a_failed_verdict_and_its_dead_letter_are_there_once(stage: Stage, command: str) -> None:
    run_id = stage.produce(segments=1)["run_id"]
    stage.take_list_away()
    result, dead_letters = stage.keys.result(run_id), stage.keys.dead_letters()
    key = {"XADD": dead_letters, "XACK": stage.keys.signals()}.get(command, result)
    _fail_command(stage, resp("HSET", result), command, key)
    report = stage.give_up(url=stage.link.url)
    assert (report["run_id"], report["verdict"]) == (run_id, "failed")
    stage.require_verdicts(run_id, 1, "failed")
    stage.require_letter(*stage.entries()[0])


@pytest.mark.parametrize("command", ["HDEL", "XADD", "XDEL"])
def test_a_retried_letter_is_signalled_once_and_taken_anew(stage: Stage, command: str) -> None:
    run_id = stage.produce(segments=1)["run_id"]
    stage.take_list_away()
    stage.give_up()
    stage.bring_list_back()
    result, dead_letters, signals = stage.keys.result(run_id), stage.keys.dead_letters(), stage.keys.signals()
    key = {"HDEL": result, "XADD": signals, "XDEL": dead_letters}[command]
    _fail_command(stage, resp("HDEL", result), command, key)
    ended = stage.run("server-b", "dead", "retry", url=stage.link.url)
    assert (ended.exit_code, ended.stdout) == (0, "Signalled 1 again.\n"), ended.stderr
    (_, first), (_, second) = stage.entries()
    assert first == second
    assert stage.client.xlen(dead_letters) == 0
    assert not stage.client.exists(result)
    assert stage.consume()["verdict"] == "verified"
    stage.require_verdicts(run_id, 1, "verified")


@first_or_last
def test_a_segment_is_published_for_good(stage: Stage, nth: int) -> None:
    """A list that kept the time to live of its staging key would be verified, and be gone within the hour."""
    names = [stage.keys.segment(number) for number in range(1, SEGMENTS + 1)]
    persist = [resp("PERSIST", name) for name in names]
    stage.link.rewrite(persist[nth - 1], resp("PERSIST", beside(names[nth - 1])))
    summary = stage.produce(url=stage.link.url)
    assert [stage.client.ttl(name) for name in names] == [-1] * SEGMENTS
    assert stage.consume()["digest"] == summary["digest"]
    stage.require_verdicts(summary["run_id"], SEGMENTS, "verified")
