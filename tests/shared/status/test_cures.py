"""Whatever is lost or changed: what `status` advises brings it to 0, and no advice has to be followed twice."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest

from shared.keys import Keyspace
from shared.tokens import make_token, token_ms
from tests.stage.hand_over_in_process import entries_of
from tests.stage.status_cures import cure, repeated_advice
from tests.stage.status_scene import Scene, scene

__all__ = ["scene"]

Change = Callable[[Scene], object]


def _flip_verdict(scene: Scene) -> None:
    """Change a byte of a verdict, so that it is none."""
    found = scene.client.hget(scene.result, "1")
    assert isinstance(found, bytes)
    scene.client.hset(scene.result, "1", found[:-1] + b"|")


def _date_ahead(scene: Scene) -> None:
    """Change the run that the last signal names, as by a byte of it, to one of some hours later."""
    entry_id, fields = entries_of(scene.client, scene.signals)[-1]
    ahead = make_token(token_ms(scene.run) + 10 * 60 * 60 * 1000)
    changed: dict[Any, Any] = {**fields, b"run_id": ahead}
    scene.client.xdel(scene.signals, entry_id)
    scene.client.xadd(scene.signals, changed)


def _lose(words: str) -> Change:
    def lose(scene: Scene) -> None:
        names = {name: getattr(scene, name) for name in ("record", "result", "signals")}
        names |= {f"{kind}{n}": getattr(scene, kind)(n) for kind in ("list", "state") for n in (1, 2)}
        scene.client.delete(*(names[word] for word in words.split()))

    return lose


CHANGES: dict[str, Change] = {
    "a verdict flipped": _flip_verdict,
    "a verdict lost": lambda s: s.client.hdel(s.result, "2"),
    "a field more": lambda s: s.client.hset(s.result, "x", "theirs"),
    "a signal of later": _date_ahead,
    "segment 2 of a newer run": lambda s: s.give_to_newer_run(2),
    "segment 1 of a newer run": lambda s: s.give_to_newer_run(1),
    "a failed list": Scene.fail,
    "a change after the verdict": lambda s: s.client.rpush(s.list(2), "x"),
    "no record": _lose("record"),
    "no result": _lose("result"),
    "no signals": _lose("signals"),
    "no list": _lose("list1"),
    "no segment 2": _lose("list2 state2"),
}
EACH = [(name,) for name in CHANGES]
PAIRS = list(combinations(CHANGES, 2))


@pytest.mark.parametrize("names", [*EACH, *PAIRS], ids=", ".join)
def test_the_advice_of_status_is_followed_to_the_end(scene: Scene, names: tuple[str, ...]) -> None:
    scene.verify()
    for name in names:
        CHANGES[name](scene)
    said = cure(scene)
    told = [(status.exit_code, status.problems, status.under_way) for status in said]
    assert said[-1].exit_code == 0, told
    assert repeated_advice(said) == [], told


def test_a_new_run_sorts_after_those_that_signals_name(scene: Scene, keys: Keyspace) -> None:
    scene.verify()
    _date_ahead(scene)
    _, fields = entries_of(scene.client, keys.signals())[-1]
    scene.produce()
    assert scene.run.encode() > fields[b"run_id"]
