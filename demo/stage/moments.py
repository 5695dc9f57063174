"""The moments at which a button does what it does.

It is the first half of a run that began when nothing else went on, so that its effect lies on the time line of one run,
and what becomes of that is its doing. In the pause between two runs a killed server-a would have nothing to lose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.stage.cast import Part
from demo.stage.look import Held, Phase, held, phase
from shared.tokens import token_ms

if TYPE_CHECKING:
    from demo.stage.director import Director

RUN_WITHIN_S = 90.0


class NotDoneError(Exception):
    """Why something was not done."""


def fresh(stage: Director) -> Phase | None:
    """Return how far the newest run is, if at most half of it is written and it began after what was done before."""
    now = phase(stage.pair.client)
    is_fresh = now is not None and now.is_written_now and token_ms(now.run_id) > stage.deeds.last_over_ms()
    return now if is_fresh else None


def writing(stage: Director) -> Phase:
    """Return how far the run is of which at most half is written, as soon as there is one."""
    found: list[Phase] = []

    def is_written_now() -> bool:
        now = fresh(stage)
        if now is not None and stage.cast.a.pid:
            found.append(now)
        return bool(found)

    stage.wait_until(is_written_now, limit_s=RUN_WITHIN_S, why=f"no run was being written for {RUN_WITHIN_S:g} s")
    return found[-1]


def holding(stage: Director) -> tuple[Part, Held]:
    """Return a server-b that is stopped in the midst of a segment, and what it holds."""
    found: list[tuple[Part, Held]] = []

    def is_held() -> bool:
        now = fresh(stage)
        entries = [entry for entry in held(stage.pair.client) if now is not None and entry.run_id == now.run_id]
        for entry in entries:
            part = stage.cast.consumer(entry.consumer)
            if part is not None and _is_stopped_with(stage, part, entry):
                found.append((part, entry))
                return True
        return False

    stage.wait_until(is_held, limit_s=RUN_WITHIN_S, why="no server-b was met in the midst of a segment")
    return found[-1]


def _is_stopped_with(stage: Director, part: Part, entry: Held) -> bool:
    """Stop a server-b; let it go on and return False if it had finished its segment: what it sent may be under way."""
    part.freeze()
    stage.settle()
    if entry in held(stage.pair.client):
        return True
    part.thaw()
    return False


def has_newer(stage: Director, seen: Phase) -> bool:
    """Tell whether another list was signalled."""
    now = phase(stage.pair.client)
    return now is not None and now.newest_id != seen.newest_id
