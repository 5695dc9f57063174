"""Situations of a hand-over among its own: what `status` of both programs says in each, and the exit code.

`test_situations_of_losses.py` has those where something was lost, `test_situations_of_others.py` those with strangers.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import WrongKeyError
from shared.signal import CONSUMER_GROUP
from shared.status.status import read_status
from tests.stage.far_future import FAR
from tests.stage.faulty_link import FaultyLink, resp
from tests.stage.status_checks import DONE, UNFINISHED, WRONG, require_status
from tests.stage.status_scene import Scene, scene

__all__ = ["scene"]

NONE, ONE = (f"has verdicts on {number} of 2 segments" for number in range(2))
HALF, ALL = (f"has published {number} of 2 segments and is not finished" for number in (1, 2))
NOBODY = "none has taken part in the group here"
ANSWERED = "acknowledged, but the verdict on what is published is not there; signal again with: server-a run --resume"
DIFFERENT = "2 signalled with something else than what is published; signal again with: server-a run --resume"
PENDING = "signals delivered and not acknowledged"
SITUATIONS: dict[str, tuple[list[Callable[[Scene], object]], int, list[str]]] = {
    "half published": ([lambda s: s.begin(published=1)], UNFINISHED, [HALF, NONE, NOBODY]),
    "half published and delivered": (
        [lambda s: s.begin(published=1), Scene.deliver],
        UNFINISHED,
        [HALF, NONE, f"1 {PENDING}"],
    ),
    "half published and verified": (
        [Scene.consume, lambda s: s.client.hdel(s.result, "2"), lambda s: s.begin(published=1)],
        UNFINISHED,
        [HALF, ONE],
    ),
    "stopped before the audit": ([Scene.consume, Scene.stop], UNFINISHED, [ALL]),
    "nobody has come": ([], UNFINISHED, [NONE, NOBODY]),
    "a group without a consumer": (
        [lambda s: s.client.xgroup_create(s.signals, CONSUMER_GROUP, id="0")],
        UNFINISHED,
        [NONE, "2 signals not delivered"],
    ),
    "half delivered": ([Scene.deliver], UNFINISHED, [NONE, "1 signals not delivered", f"1 {PENDING}"]),
    "pending of a dead consumer": ([lambda s: s.deliver(2)], UNFINISHED, [NONE, f"2 {PENDING}"]),
    "verified": ([Scene.consume], DONE, []),
    "verified, and a consumer without work": (
        [Scene.consume, lambda s: s.client.xgroup_createconsumer(s.signals, CONSUMER_GROUP, "idle")],
        DONE,
        [],
    ),
    "failed": ([Scene.fail], WRONG, ["failed: segment 1: changed"]),
    "failed, then verified": ([Scene.fail, Scene.verify], DONE, []),
    "failed, the next not read": ([Scene.fail, Scene.produce], UNFINISHED, [NONE, "2 signals not delivered"]),
    "failed, the next begun": (
        [Scene.fail, Scene.produce, lambda s: s.begin(published=1)],
        UNFINISHED,
        [HALF, NONE, "signals not delivered"],
    ),
    "repaired": ([Scene.fail, lambda s: s.resume(repair=True)], UNFINISHED, [ONE, "1 signals not delivered"]),
    "repaired and verified": ([Scene.fail, lambda s: s.resume(repair=True), Scene.consume], DONE, []),
    "the run before was not read": ([Scene.verify], DONE, []),
    "written again": (
        [Scene.consume, lambda s: s.lose("list2 state2"), Scene.resume],
        UNFINISHED,
        [ONE, "1 signals not delivered"],
    ),
    "written again and verified": (
        [Scene.consume, lambda s: s.lose("list2 state2"), Scene.resume, Scene.consume],
        DONE,
        [],
    ),
    "superseded by nobody": (
        [Scene.consume, lambda s: s.change_verdict(verdict="superseded", reason="by a newer run")],
        UNFINISHED,
        [f"1 {ANSWERED}"],
    ),
    "a dead letter": ([Scene.consume, Scene.letter], WRONG, ["1 dead letters"]),
    "failed, and a dead letter": ([Scene.fail, Scene.letter], WRONG, ["failed: segment 1", "1 dead letters"]),
    "a bad entry that nobody was given": (
        [Scene.consume, lambda s: s.client.xadd(s.signals, {"alarm": "fire"})],
        UNFINISHED,
        ["1 signals not delivered"],
    ),
    "published more than there is": ([Scene.consume, lambda s: s.client.hset(s.record, "published", 7)], DONE, []),
    "signals of a larger run": ([lambda s: s.change_signals(segments="3")], UNFINISHED, [DIFFERENT, NOBODY]),
    "signals of a larger run, without a record": (
        [lambda s: s.change_signals(segments="3"), Scene.pass_over, lambda s: s.lose("record")],
        UNFINISHED,
        ["1 of 3 segments are not those of run"],
    ),
    "signals of a smaller run, without a record": (
        [lambda s: s.change_signals(segments="1"), Scene.pass_over, lambda s: s.lose("record")],
        UNFINISHED,
        ["biglist:2 is that of run"],
    ),
    "signals of a smaller run, long ago": (
        [lambda s: s.change_signals(segments="1"), lambda s: s.lose("record"), Scene.age],
        UNFINISHED,
        ["biglist:2 is that of run"],
    ),
    "signals of a smaller run, verified": (
        [Scene.consume, lambda s: s.change_signals(segments="1"), Scene.pass_over, lambda s: s.lose("record")],
        UNFINISHED,
        ["holds what is no verdict on a run of this size", "biglist:2 is that of run"],
    ),
    "one signal of a smaller run": (
        [Scene.consume, Scene.contradict, lambda s: s.lose("record result")],
        UNFINISHED,
        [f"{NONE}, and no record, though both are kept for a day at least; it can't be resumed"],
    ),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_status_says_of_a_run(scene: Scene, name: str) -> None:
    """Both programs say the same, since the run has a signal."""
    changes, exit_code, sentences = SITUATIONS[name]
    scene.produce()
    for change in changes:
        change(scene)
    for status in scene.look():
        require_status(status, exit_code, *sentences)


def test_a_segment_that_is_published_between_the_looks_at_state_and_list_is_no_damaged_one(
    scene: Scene, link: FaultyLink
) -> None:
    """They are not read in one transaction: the first look finds the list without its newest value."""
    scene.verify()
    value = scene.client.lpop(scene.list(2))
    assert isinstance(value, bytes)
    link.at(resp("LLEN"), lambda: scene.client.lpush(scene.list(2), value), nth=3)
    with closing(open_endpoint(EndpointSettings(url=parse_url(link.url)))) as linked:
        require_status(read_status(linked, scene.keys), DONE)


@pytest.mark.parametrize("far", FAR)
def test_a_state_of_a_run_far_ahead_is_believed_at_neither_look(scene: Scene, link: FaultyLink, far: str) -> None:
    scene.verify()
    scene.client.lpop(scene.list(2))
    link.at(resp("LLEN"), lambda: scene.client.hset(scene.state(2), "run_id", far), nth=3)
    with (
        closing(open_endpoint(EndpointSettings(url=parse_url(link.url)))) as linked,
        pytest.raises(WrongKeyError, match="a run id of the server's time"),
    ):
        read_status(linked, scene.keys)


def test_only_server_a_knows_a_run_without_a_signal(scene: Scene) -> None:
    scene.produce()
    scene.begin(published=0)
    scene.lose("signals")
    a, b = scene.look()
    require_status(a, UNFINISHED, "has published 0 of 2", NONE)
    require_status(b, UNFINISHED)
    assert b.is_empty
