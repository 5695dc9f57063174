"""The first milliseconds of a program: SIGTERM and SIGINT end it before its imports are done, also as pid 1.

It imports nothing that takes long, because the handlers are installed before everything else is imported. As pid 1 of
a container a process without a handler can't be ended by SIGTERM: the kernel discards it. Ending with 75, as a stop
request does later, was rejected: nothing has begun that could be resumed.
"""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import NoReturn

_UNFINISHED, _FAULT = 75, 70


def end_on_signals() -> None:
    """Have SIGTERM and SIGINT end the process at once; one that our parent ignores, as `nohup` does, stays ignored."""
    for number, default in ((signal.SIGTERM, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) is default:
            signal.signal(number, end_by_signal)


def interrupt_on_sigint() -> None:
    """Have SIGINT raise KeyboardInterrupt again, now that somebody catches it; but not in the midst of an import.

    Python drops what is raised while it gives an import's lock back, and prints a traceback: the signal would be lost.
    """
    if signal.getsignal(signal.SIGINT) is end_by_signal:
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    inner = frame
    while inner is not None:
        if inner.f_code.co_filename.startswith("<frozen importlib"):
            end_by_signal(number)
        inner = inner.f_back
    signal.default_int_handler(number, frame)


def end_by_signal(number: int, _frame: object = None) -> None:
    """End the process by a signal; pid 1, for which the kernel discards it, exits with the code that a shell shows."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)


def end_without_parts(program: str, error: ImportError | OSError) -> NoReturn:
    """End a program that could not be loaded with one sentence: no descriptor is left, or a package is missing."""
    if isinstance(error, OSError):
        code, expected = _UNFINISHED, "room for the files and connections that are needed (ulimit -n)"
        sentence = f"open files: expected {expected}, got {error.strerror}"
    else:
        code, sentence = (
            _FAULT,
            f"packages: expected all that it needs, got {error}; install it with pip, which adds them",
        )
    os.write(2, f"{program}: {sentence}\n".encode("utf-8", "backslashreplace"))
    os._exit(code)
