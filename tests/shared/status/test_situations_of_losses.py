"""Situations in which something of a run is gone: what `status` of both programs says in each, and the exit code."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.signal import CONSUMER_GROUP
from tests.stage.hand_over_in_process import OLDER
from tests.stage.status_checks import DONE, UNFINISHED, WRONG, require_status
from tests.stage.status_scene import Scene, scene

__all__ = ["scene"]

NONE, ONE = (f"has verdicts on {number} of 2 segments" for number in range(2))
NOBODY = "none has taken part in the group here"
RESUME = "with: server-a run --resume"
ANOTHER = "it can't be resumed without its record, so write another with: server-a run"
SHORT = f"biglist:2 has 0 values where its state says 10; write it again {RESUME}"
SHORT_FOR_GOOD = f"biglist:2 has 0 values where its state says 10; {ANOTHER}"
GONE = f"no longer in the stream: trimmed or deleted before there was a verdict; signal again {RESUME}"
ANSWERED = f"acknowledged, but the verdict on what is published is not there; signal again {RESUME}"
LOST: dict[str, tuple[int, list[str]]] = {
    "list2": (WRONG, [SHORT]),
    "list2 result": (WRONG, [SHORT, f"2 {ANSWERED}"]),
    "list2 record": (WRONG, [SHORT_FOR_GOOD]),
    "list2 record result": (WRONG, [SHORT_FOR_GOOD]),
    "list1 list2 record result": (WRONG, ["biglist has 0 values", SHORT_FOR_GOOD]),
    "state2": (WRONG, ["biglist:2 is not that of run"]),
    "state1": (WRONG, ["biglist is not that of run"]),
    "state1 record": (UNFINISHED, ["1 of 2 segments are not those of run"]),
    "state2 record result": (UNFINISHED, ["1 of 2 segments are not those of run"]),
    "state2 list2": (WRONG, ["biglist:2 is not that of run"]),
    "state1 state2 list1 list2": (WRONG, ["biglist is not that of run", "biglist:2 is not that of run"]),
    "state1 state2 list1 list2 record result": (UNFINISHED, ["2 of 2 segments are not those of run"]),
    "state1 state2 signals result record": (UNFINISHED, []),
    "signals result record": (UNFINISHED, ["of which neither a record nor a signal is here"]),
    "result": (UNFINISHED, [f"{NONE}: 2 {ANSWERED}"]),
    "result signals": (UNFINISHED, [f"{NONE}: 2 {GONE}"]),
    "result record": (UNFINISHED, [f"{NONE}, and no record, though both are kept for a day at least; {ANOTHER}"]),
    "record": (DONE, []),
    "signals": (DONE, []),
}


@pytest.mark.parametrize("names", LOST)
def test_what_status_says_where_keys_of_a_verified_run_are_gone(scene: Scene, names: str) -> None:
    exit_code, sentences = LOST[names]
    scene.verify()
    scene.lose(names)
    for status in scene.look():
        require_status(status, exit_code, *sentences)
        assert status.is_empty == (names == "state1 state2 signals result record")


def _halve(scene: Scene) -> None:
    scene.client.ltrim(scene.list(2), 0, 4)
    scene.client.hset(scene.state(2), "count", 5)


CHANGES: dict[str, tuple[list[Callable[[Scene], object]], int, list[str]]] = {
    "a verdict": ([lambda s: s.client.hdel(s.result, "2")], UNFINISHED, [f"{ONE}: 1 {ANSWERED}"]),
    "a verdict and the record": (
        [lambda s: s.client.hdel(s.result, "2"), lambda s: s.lose("record")],
        UNFINISHED,
        [f"{ONE}, and no record, though both are kept for a day at least; {ANOTHER}"],
    ),
    "record and result, long ago": ([lambda s: s.lose("record result"), Scene.age], DONE, []),
    "record, result and a list, long ago": (
        [lambda s: s.lose("record result list2"), Scene.age],
        WRONG,
        [SHORT_FOR_GOOD],
    ),
    "a value": ([lambda s: s.client.rpop(s.list(2))], WRONG, ["biglist:2 has 9 values where its state says 10"]),
    "a value too many": ([lambda s: s.client.lpush(s.list(2), "x")], WRONG, ["biglist:2 has 11 values"]),
    "half a list, and its state says so": (
        [_halve],
        UNFINISHED,
        [f"{ONE}: 1 signalled with something else than what is published; signal again {RESUME}"],
    ),
    "a segment, retired": (
        [lambda s: s.client.hset(s.state(2), mapping={"count": 0, "digest": ""}), lambda s: s.lose("list2")],
        WRONG,
        ["biglist:2 is not that of run"],
    ),
    "a segment, to an older run": (
        [lambda s: s.client.hset(s.state(2), "run_id", OLDER)],
        WRONG,
        ["biglist:2 is not that of run"],
    ),
    "a segment, to the run before": (
        [Scene.verify, lambda s: s.client.hset(s.state(2), "run_id", s.runs[0])],
        WRONG,
        ["biglist:2 is not that of run"],
    ),
    "a segment, to a newer run": (
        [lambda s: s.give_to_newer_run(2)],
        UNFINISHED,
        [f"of which no record is here; {ANOTHER}"],
    ),
    "the first segment, to a newer run": (
        [lambda s: s.give_to_newer_run(1)],
        UNFINISHED,
        [f"of which neither a record nor a signal is here; {ANOTHER}"],
    ),
    "trimmed after the verdict": ([lambda s: s.client.xtrim(s.signals, maxlen=0)], DONE, []),
    "the group": ([lambda s: s.client.xgroup_destroy(s.signals, CONSUMER_GROUP)], UNFINISHED, [NOBODY]),
    "the group's place": (
        [lambda s: s.client.xgroup_setid(s.signals, CONSUMER_GROUP, id="0")],
        UNFINISHED,
        ["2 signals not delivered"],
    ),
    "the record's run id": ([lambda s: s.client.hset(s.record, "run_id", OLDER)], DONE, []),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_status_says_where_something_of_a_verified_run_is_gone(scene: Scene, name: str) -> None:
    changes, exit_code, sentences = CHANGES[name]
    scene.verify()
    for change in changes:
        change(scene)
    for status in scene.look():
        require_status(status, exit_code, *sentences)


UNREAD: dict[str, tuple[list[Callable[[Scene], object]], int, list[str]]] = {
    "a list": ([lambda s: s.lose("list2")], WRONG, [SHORT, NONE, NOBODY]),
    "the record": ([lambda s: s.lose("record")], UNFINISHED, [NOBODY]),
    "all signals": ([lambda s: s.client.xtrim(s.signals, maxlen=0)], UNFINISHED, [f"{NONE}: 2 {GONE}"]),
    "a signal": (
        [lambda s: s.client.xtrim(s.signals, maxlen=1, approximate=False)],
        UNFINISHED,
        [f"{NONE}: 1 {GONE}", NOBODY],
    ),
    "pending signals": (
        [lambda s: s.deliver(2), lambda s: s.client.xtrim(s.signals, maxlen=0)],
        UNFINISHED,
        [f"{NONE}: 2 {GONE}", "2 signals delivered and not acknowledged"],
    ),
    "signals passed over": ([Scene.pass_over], UNFINISHED, [f"{NONE}: 2 {ANSWERED}"]),
    "signals passed over, and the record": (
        [Scene.pass_over, lambda s: s.lose("record")],
        UNFINISHED,
        [f"{NONE}, and no record, though both are kept for a day at least; {ANOTHER}"],
    ),
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_status_says_where_something_of_an_unread_run_is_gone(scene: Scene, name: str) -> None:
    changes, exit_code, sentences = UNREAD[name]
    scene.produce()
    for change in changes:
        change(scene)
    for status in scene.look():
        require_status(status, exit_code, *sentences)


def test_server_b_does_not_know_a_run_of_which_the_record_alone_is_left(scene: Scene) -> None:
    scene.verify()
    scene.lose("state1 state2 list1 list2 signals result")
    a, b = scene.look()
    require_status(a, WRONG, "biglist is not that of run", "biglist:2 is not that of run")
    require_status(b, UNFINISHED)
    assert b.is_empty
