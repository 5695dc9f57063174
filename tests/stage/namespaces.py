"""Network namespaces of our own, each a network stack without anything in it.

They have no names: each is held by an open file, so the kernel removes it, with its interfaces and rules, when we end,
however that happens. `ip netns add` was rejected: its names stay behind when a test run is killed, and other programs
see them. A thread enters one; what it starts or connects meanwhile belongs there for good.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_CLONE_NEWNET = 0x40000000
_OWN = "/proc/thread-self/ns/net"
_LIBC = ctypes.CDLL(None, use_errno=True)


class NetworkNamespace:
    """One network namespace."""

    def __init__(self) -> None:
        """Make it.

        Raises:
            OSError: We may not, or this is no Linux.
        """
        if sys.platform != "linux":
            raise OSError("network namespaces need Linux")
        home = os.open(_OWN, os.O_RDONLY)
        try:
            _check(_LIBC.unshare(_CLONE_NEWNET))
            self._file = os.open(_OWN, os.O_RDONLY)
            _check(_LIBC.setns(home, _CLONE_NEWNET))
        finally:
            os.close(home)

    @property
    def path(self) -> str:
        """A path that means this namespace to other programs, as long as we hold it."""
        return f"/proc/{os.getpid()}/fd/{self._file}"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be inside for the time of the block: this thread, and what it starts or opens."""
        home = os.open(_OWN, os.O_RDONLY)
        try:
            _check(_LIBC.setns(self._file, _CLONE_NEWNET))
            try:
                yield
            finally:
                _check(_LIBC.setns(home, _CLONE_NEWNET))
        finally:
            os.close(home)

    def run(self, *command: str) -> None:
        """Run a program inside, to its end.

        Raises:
            OSError: There is no such program, or it failed.
        """
        with self.entered():
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")

    def close(self) -> None:
        """Let it go; it ends with the last process inside."""
        os.close(self._file)


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
