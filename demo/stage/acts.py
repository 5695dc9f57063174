"""What each button does, to the real processes and servers.

Each waits for its moment, see `demo.stage.moments`, and all of them run in the director's thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from demo.stage.buttons import CUT_S, DELAY_MS, DELAYED_S, FROZEN_S
from demo.stage.look import KEYS, Held, held, phase
from demo.stage.moments import RUN_WITHIN_S, NotDoneError, has_newer, holding, writing

if TYPE_CHECKING:
    from demo.stage.director import Director

STAND_S = 1.5
PROMOTED_AFTER_S = 1.0
CHANGED = "changed by hand"


def kill_a(stage: Director, number: int) -> None:
    """Kill server-a, and wait until it is started again."""
    now = writing(stage)
    pid = stage.cast.a.pid
    if not pid:
        raise NotDoneError("server-a was not running")
    told = f"Process {pid} was killed when {now.published} of {now.segments} segments were published."
    stage.deeds.begin(number, told, now.run_id)
    stage.cast.a.kill()
    stage.wait_until(lambda: stage.cast.a.pid not in (0, pid), limit_s=20, why="server-a did not start again")
    stage.deeds.end(number, f"Process {stage.cast.a.pid} went on with --resume.")


def kill_b(stage: Director, number: int) -> None:
    """Kill a server-b that holds a signal, and wait until another one has it."""
    part, entry = holding(stage)
    stage.deeds.begin(number, f"Process {part.pid} was killed while it held segment {entry.segment}.", entry.run_id)
    part.kill()
    _until_taken_over(stage, number, entry)


def freeze_b(stage: Director, number: int) -> None:
    """Stop a server-b that holds a signal for a while, in which another one takes it over."""
    part, entry = holding(stage)
    pid = part.pid
    stage.deeds.begin(number, f"Process {pid} was frozen while it held segment {entry.segment}.", entry.run_id)

    def thaw() -> None:
        if part.pid == pid:
            part.thaw()
        stage.deeds.end(number, "It goes on.")

    stage.later(FROZEN_S, thaw)


def cut_link(stage: Director, number: int) -> None:
    """Cut server-a off for a while."""
    now = writing(stage)
    stage.deeds.begin(number, f"{now.published} of {now.segments} segments were published.", now.run_id)
    stage.a_link.cut()

    def join() -> None:
        stage.a_link.join()
        stage.deeds.end(number, "It carries again.")

    stage.later(CUT_S, join)


def delay_link(stage: Director, number: int) -> None:
    """Make each round trip of server-a longer for a while."""
    now = writing(stage)
    stage.deeds.begin(number, f"Since segment {now.published} of {now.segments}.", now.run_id)
    stage.a_link.delay(DELAY_MS)

    def undo() -> None:
        stage.a_link.delay(0)
        stage.deeds.end(number, "It is as fast as before.")

    stage.later(DELAYED_S, undo)


def change_value(stage: Director, number: int) -> None:
    """Change one value of a list that is published and that nobody has begun to read: every server-b stands meanwhile.

    Redis: LINDEX, LSET.
    """
    stage.wait_until(
        lambda: _has_changed_value(stage, number), limit_s=RUN_WITHIN_S, why="no list was published while they stood"
    )


def _has_changed_value(stage: Director, number: int) -> bool:
    """Do so with the next list; return False if none comes before entries of those that stand would be claimed."""
    before = writing(stage)
    stopped = [part for part in stage.cast.consumers if part.pid and not part.is_frozen]
    for part in stopped:
        part.freeze()
    try:
        # What had been sent before they stood is done when this signal comes, and they ask for nothing more.
        stage.settle()
        seen = phase(stage.pair.client) or before
        try:
            stage.wait_until(partial(has_newer, stage, seen), limit_s=STAND_S, why="")
        except NotDoneError:
            return False
        now = phase(stage.pair.client)
        assert now is not None
        key, index = KEYS.segment(now.newest.segment), now.newest.count // 2
        was = cast("bytes", stage.pair.client.lindex(key, index) or b"")
        stage.pair.client.lset(key, index, CHANGED)
        told = f"In segment {now.newest.segment}, {was.decode()} became '{CHANGED}'."
        stage.deeds.begin(number, told, now.run_id)
        stage.deeds.end(number)
        return True
    finally:
        for part in stopped:
            part.thaw()


def promote(stage: Director, number: int) -> None:
    """Kill the primary, let the replica take over, and lead all links there."""
    stage.wait_until(lambda: stage.pair.is_in_step, limit_s=20, why="the replica had not loaded the primary's data yet")
    now = writing(stage)
    old, new = stage.pair.primary, stage.pair.replica
    told = f"The primary at port {old.port} was killed, the replica at port {new.port} took over."
    stage.deeds.begin(number, told, now.run_id)
    stage.pair.promote(lambda: stage.rest(PROMOTED_AFTER_S))
    for link in stage.links:
        link.lead_to(new.port)
    stage.deeds.end(number, "The old primary now is its replica.")


ACTS: dict[str, Callable[[Director, int], None]] = {
    "kill-a": kill_a,
    "kill-b": kill_b,
    "freeze-b": freeze_b,
    "cut-link": cut_link,
    "delay-link": delay_link,
    "change-value": change_value,
    "promote": promote,
}


def _until_taken_over(stage: Director, number: int, entry: Held) -> None:
    """Wait until another server-b has an entry, or has finished it."""
    killed_at = time.monotonic()
    stage.wait_until(lambda: entry not in held(stage.pair.client), limit_s=30, why="no server-b claimed its segment")
    stage.deeds.end(number, f"Another one had its segment after {time.monotonic() - killed_at:.1f} s.")
