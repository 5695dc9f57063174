"""Waiting for something to become true, the only place where the tests sleep."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(predicate: Callable[[], object], *, description: str, timeout_s: float = 60.0) -> None:
    """Wait until a predicate is true; fail with the description when it isn't in time.

    Args:
        predicate: Asked every 5 ms; cheap and without side effects.
        description: What is waited for, as the rest of "waited in vain until".
        timeout_s: How long to wait; generous, since a test that passes does not use it: on a busy machine the start
            of a process alone takes seconds.
    """
    give_up_at = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() > give_up_at:
            raise AssertionError(f"waited {timeout_s:g} s in vain until {description}")
        time.sleep(0.005)
