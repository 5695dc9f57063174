"""Situations with data of somebody else's: what `status` of both programs says in each, and the exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.errors import WrongKeyError
from shared.signal import CONSUMER_GROUP, Signal
from shared.status.command import status_text
from tests.stage.foreign_keys import LETTER
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN
from tests.stage.status_checks import DONE, UNFINISHED, WRONG, require_status
from tests.stage.status_scene import Scene, scene

__all__ = ["scene"]

AHEAD = "20990101T000000000Z-abcdef"
THEIRS = "entries, of which none that was read is a signal; if it is somebody else's, give both programs a --namespace"
LETTERS = "entries, of which none that was read is a dead letter, so server-b would end with 78"
NO_VERDICT = "holds what is no verdict on a run of this size, so it is somebody else's"

Change = Callable[[Scene], object]


def _alarm(scene: Scene, number: int = 1) -> None:
    for _ in range(number):
        scene.client.xadd(scene.signals, {"alarm": "fire"})


def _signal(scene: Scene, run_id: str) -> None:
    fields: dict[Any, Any] = Signal(run_id, run_id, 1, 1, 10, DIGEST).encode()
    scene.client.xadd(scene.signals, fields)


def _record(scene: Scene, run_id: str) -> None:
    fields: dict[Any, Any] = scene.client.hgetall(scene.record)
    scene.client.hset(scene.keys.run(run_id), mapping={**fields, b"run_id": run_id})


def _foreign_letter(scene: Scene) -> None:
    scene.client.xadd(scene.keys.dead_letters(), {"alarm": "fire"})


def _letter(scene: Scene) -> None:
    fields: dict[Any, Any] = dict(LETTER)
    scene.client.xadd(scene.keys.dead_letters(), fields)


def _group(scene: Scene, name: str = CONSUMER_GROUP) -> None:
    scene.client.xgroup_create(scene.signals, name, id="0", mkstream=True)


ALONE: dict[str, tuple[list[Change], int, list[str]]] = {
    "nothing": ([], UNFINISHED, []),
    "a user": ([lambda s: s.client.hset(s.keys.user("42"), "email", "x")], UNFINISHED, []),
    "a list": ([lambda s: s.client.rpush(s.list(), "x")], UNFINISHED, []),
    "a hash for a state": ([lambda s: s.client.hset(s.state(), "colour", "red")], UNFINISHED, []),
    "a string for a state": ([lambda s: s.client.set(s.state(), "red")], UNFINISHED, []),
    "a record of others": ([lambda s: s.client.hset(s.keys.run(RUN), "a", "b")], UNFINISHED, []),
    "a stream": ([_alarm], UNFINISHED, [f"signals holds 1 {THEIRS}"]),
    "a large stream": ([lambda s: _alarm(s, 300)], UNFINISHED, [f"signals holds 300 {THEIRS}"]),
    "a stream with workers": ([_alarm, lambda s: _group(s, "workers")], UNFINISHED, [f"signals holds 1 {THEIRS}"]),
    "a stream with our group": ([_alarm, _group], UNFINISHED, [f"signals holds 1 {THEIRS}"]),
    "a stream that our group has read": ([_alarm, Scene.pass_over], UNFINISHED, [f"signals holds 1 {THEIRS}"]),
    "a stream that buries a signal": (
        [lambda s: _alarm(s, 120), lambda s: _signal(s, OLDER), lambda s: _alarm(s, 120)],
        UNFINISHED,
        [f"signals holds 241 {THEIRS}", "1 of 1 segments are not those"],
    ),
    "an empty stream with workers": (
        [lambda s: _group(s, "workers")],
        UNFINISHED,
        ["signals has no entries, and groups of others alone; if it is somebody else's, give both"],
    ),
    "an empty stream with workers and our group": ([lambda s: _group(s, "workers"), _group], UNFINISHED, []),
    "dead letters": ([_foreign_letter], UNFINISHED, [f"dead holds 1 {LETTERS}"]),
    "a dead letter of ours": ([_letter], WRONG, ["1 dead letters"]),
}  # fmt: skip


@pytest.mark.parametrize("name", ALONE)
def test_what_status_says_where_neither_program_has_written(scene: Scene, name: str) -> None:
    changes, exit_code, sentences = ALONE[name]
    for change in changes:
        change(scene)
    for status in scene.look():
        require_status(status, exit_code, *sentences)
        has_been = "No run is here yet, though a server-b has been" in status_text(status)
        assert has_been == (name == "an empty stream with workers and our group")


BESIDE: dict[str, tuple[list[Change], int, list[str]]] = {
    "a stream in the place of ours": ([lambda s: s.lose("signals"), _alarm], UNFINISHED, [f"signals holds 1 {THEIRS}"]),
    "a stream in the place of ours that our group has read": (
        [lambda s: s.lose("signals"), _alarm, Scene.pass_over],
        UNFINISHED,
        [f"signals holds 1 {THEIRS}"],
    ),
    "entries behind ours": ([lambda s: _alarm(s, 150)], UNFINISHED, ["150 signals not delivered"]),
    "entries behind ours, passed over": ([lambda s: _alarm(s, 150), Scene.pass_over], DONE, []),
    "dead letters": ([_foreign_letter], UNFINISHED, [f"dead holds 1 {LETTERS}"]),
    "a record far ahead": ([lambda s: _record(s, AHEAD)], DONE, []),
    "a record of other fields, far ahead": ([lambda s: s.client.hset(s.keys.run(AHEAD), "a", "b")], DONE, []),
    "a signal far ahead": ([lambda s: _signal(s, AHEAD)], UNFINISHED, ["1 signals not delivered"]),
    "a signal far ahead, passed over": ([lambda s: _signal(s, AHEAD), Scene.pass_over], DONE, []),
    "a signal far ahead of a failed run": (
        [Scene.fail, lambda s: _signal(s, AHEAD), Scene.pass_over],
        WRONG,
        ["failed: segment 1: changed"],
    ),
    "a state of others": (
        [lambda s: s.lose("state2"), lambda s: s.client.hset(s.state(2), "colour", "red")],
        WRONG,
        ["biglist:2 is not that of run"],
    ),
    "a result of others": (
        [lambda s: s.lose("result"), lambda s: s.client.hset(s.result, "1", "theirs")],
        UNFINISHED,
        [f"{NO_VERDICT}, 2 acknowledged, but"],
    ),
    "a field more in the result": ([lambda s: s.client.hset(s.result, "x", "theirs")], UNFINISHED, [NO_VERDICT]),
}  # fmt: skip


@pytest.mark.parametrize("name", BESIDE)
def test_what_status_says_of_a_verified_run_beside_others(scene: Scene, name: str) -> None:
    changes, exit_code, sentences = BESIDE[name]
    scene.verify()
    for change in changes:
        change(scene)
    for status in scene.look():
        require_status(status, exit_code, *sentences)


@pytest.mark.parametrize("word", ["signals", "list1", "list2", "state2", "result", "record"])
def test_a_key_of_another_type_in_the_place_of_ours_is_named(scene: Scene, word: str) -> None:
    scene.verify()
    name = scene.lose(word)
    scene.client.set(name, "theirs")
    with pytest.raises(WrongKeyError) as caught:
        scene.look()
    assert caught.value.where.startswith(name)
    assert "--namespace" in caught.value.advice


@pytest.mark.parametrize(
    "lost", ["list2", "result", "signals record result state2 list2", "signals record result list1"]
)
@pytest.mark.parametrize("count", [b"10", b"0"])
def test_a_first_state_far_ahead_is_refused_whatever_else_is_here(scene: Scene, lost: str, count: bytes) -> None:
    """With a known run and without one: no command goes on beside it, so running again is no cure."""
    scene.verify()
    scene.lose(lost)
    changed: dict[Any, Any] = {"run_id": AHEAD, "attempt": AHEAD, "count": count, "digest": DIGEST}
    scene.client.hset(scene.state(1), mapping=changed)
    with pytest.raises(WrongKeyError, match=f"{AHEAD}.* expected a run id of the server's time") as caught:
        scene.look()
    assert "set the server's clock right, or use --namespace" in caught.value.advice
