"""`status --watch`: looks again and again, and shows what has changed.

The pause grows with what a look costs: `server-a status` may have to look through all keys of a server.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from shared.errors import TransientError
from shared.status.status import Status
from shared.stopping import StopRequest

EVERY_S = 1.0
PAUSES_A_LOOK = 10


def watch(
    look: Callable[[], Status],
    show: Callable[[Status], None],
    tell: Callable[[TransientError], None],
    stop: StopRequest,
    *,
    is_redrawn: bool,
) -> int:
    """Show each status that differs from the one before until a stop request; return the last one's exit code.

    Args:
        look: Reads a status. If the first look fails so does this; later ones are repeated until they succeed.
        show: Prints a status.
        tell: Says why none can be read, once until one is.
        stop: Ends it.
        is_redrawn: Show every status: what it replaces was drawn in the same place.
    """
    shown: dict[str, Any] | None = None
    exit_code, is_away = None, False
    while True:
        began_s = time.monotonic()
        try:
            status = look()
        except TransientError as error:
            if exit_code is None:
                raise
            if not is_away:
                tell(error)
            is_away, shown = True, None
        else:
            is_away, exit_code, found = False, status.exit_code, _without_idle_times(status)
            if is_redrawn or found != shown:
                show(status)
                shown = found
        took_s = time.monotonic() - began_s
        if stop.wait(max(EVERY_S, PAUSES_A_LOOK * took_s)):
            return exit_code or 0


def _without_idle_times(status: Status) -> dict[str, Any]:
    """Return what makes a status differ from another; for how long a consumer is idle changes with every look."""
    facts = status.as_json()
    for consumer in facts["group"]["consumers"]:
        consumer.pop("idle_ms", None)
    return facts
