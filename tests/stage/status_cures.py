"""Carries out what `status` names as cures, as somebody would who knows nothing else."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import pairwise

from shared.errors import NotFinishedError, VerificationFailedError
from shared.status.status import Status, read_status
from tests.stage.status_scene import Scene

MOST_TURNS = 5


def cure(scene: Scene) -> list[Status]:
    """Follow the advice of `server-a status` until it ends with 0, or five times; return what it said each time."""
    said: list[Status] = []
    while len(said) < MOST_TURNS:
        said.append(status := read_status(scene.endpoint, scene.keys, is_scanned=True))
        if status.exit_code == 0:
            break
        _follow(scene, status)
    return said


def _follow(scene: Scene, status: Status) -> None:
    text = " ".join([*status.problems, *status.under_way])
    resumed = re.search(r"server-a run --resume (\w+-\w+)", text)
    if "server-b dead list" in text:
        scene.client.delete(scene.keys.dead_letters())
    if resumed:
        scene.hand_over.produce(resume=resumed[1], repair="--repair" in text)
    elif "write another with: server-a run" in text:
        scene.produce()
    with suppress(NotFinishedError, VerificationFailedError):
        scene.hand_over.consume(settle_s=0.0, wait_s=0.5, max_deliveries=1)


def repeated_advice(said: list[Status]) -> list[str]:
    """Return the sentences that were said again after they had been followed."""
    return [again for before, after in pairwise(said) for again in after.problems if again in before.problems]
