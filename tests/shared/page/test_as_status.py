"""The page says what `status` says. That it does in each situation, `Scene.look` checks for the tables of `status`."""

from __future__ import annotations

from typing import Any

import pytest

from shared.page.collecting import Collector
from shared.signal import Signal
from tests.stage.hand_over_in_process import DIGEST
from tests.stage.status_scene import Scene, scene

__all__ = ["scene"]

pytestmark = pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)


def test_strangers_dead_letters_are_seen(scene: Scene) -> None:
    scene.verify()
    scene.client.xadd(scene.keys.dead_letters(), {b"a": b"b"})
    page = Collector(scene.endpoint, scene.keys, is_encrypted=False).look()
    assert any("none that was read is a dead letter" in sentence for sentence in [*page.wrong, *page.under_way])


def _signal(run_id: str, segments: int) -> dict[Any, Any]:
    return {**Signal(run_id, run_id, 1, segments, 10, DIGEST).encode()}


@pytest.mark.parametrize("said", [(2, 9), (9, 2), (1, 3), (9, 9)])
def test_a_further_look_counts_the_largest_number_that_signals_say(scene: Scene, said: tuple[int, int]) -> None:
    """So does a first one: where no record says how many segments there are, each is looked for."""
    scene.produce()
    scene.lose("record")
    collector = Collector(scene.endpoint, scene.keys, is_encrypted=False)
    for segments in said:
        collector.look()
        scene.client.xadd(scene.signals, _signal(scene.run, segments))
    (run,) = collector.look().runs
    assert run.segments == max(2, *said)
