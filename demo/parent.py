"""Processes that end with their parent, however that one ends.

On Linux the kernel is asked to send a signal when the parent dies (PR_SET_PDEATHSIG), which works for SIGKILL too; a
watchdog process or a pipe that closes were rejected, since each needs the child's help and a server has none to give.
Other systems have nothing like it: there a parent that is killed by SIGKILL leaves its children behind.
"""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
# Looked up at import: between fork and exec a child should call as little as it can.
_PRCTL = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def end_with_parent(parent_pid: int, *, signal_number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal as soon as its parent is gone.

    The kernel watches the parent's *thread*: start processes from one that lives as long as they should.

    Args:
        parent_pid: The parent as its caller knows it; one that was gone before we asked is noticed by this.
        signal_number: What to send.
    """
    if _PRCTL is None:
        return
    _PRCTL(_PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal_number)


def ending_with_us() -> Callable[[], None]:
    """Return what a child runs before exec (`preexec_fn`) to be killed when this process ends."""
    return functools.partial(end_with_parent, os.getpid())
