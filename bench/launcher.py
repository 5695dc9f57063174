"""Run a program, note what the kernel says of it: `python -S -m bench.launcher FILE MODULE [ARGUMENT ...]`.

A process by itself, which imports next to nothing: the kernel begins a program's largest memory with that of the
process that started it, so one started by the benchmark would seem as large as the benchmark. What the processes that
the program starts have used is looked up in /proc while they run; in the program's own account it is included.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import suppress

from demo.parent import end_with_parent

_LOOK_EVERY_S = 0.02
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def process_cpu_s(pid: int) -> float:
    """Return the processor seconds a running process has used, without those of processes it started; Linux only.

    Raises:
        OSError: There is no such process.
    """
    with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 - pathlib would double the memory of this process
        user, system = stat.read().rpartition(b") ")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS_PER_S


def _children(pid: int) -> list[int]:
    """Return the processes that a process started and their like, all that run now."""
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - the same
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as children:  # noqa: PTH123 - the same
                found += [int(child) for child in children.read().split()]
    return found + [below for child in found for below in _children(child)]


def _watch(pid: int, cpu_s_by_pid: dict[int, float]) -> None:
    """Keep the account of each process below `pid` as it was at the latest look."""
    while True:
        for child in _children(pid):
            with suppress(OSError):
                cpu_s_by_pid[child] = process_cpu_s(child)
        time.sleep(_LOOK_EVERY_S)


def main() -> int:
    """Run the program, write the account, and return 0 whatever the program's exit code was."""
    path, *program = sys.argv[1:]
    parent = os.getpid()
    started = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        end_with_parent(parent)
        os.execv(sys.executable, [sys.executable, "-m", *program])  # noqa: S606 - no shell is what we want
    children: dict[int, float] = {}
    threading.Thread(target=_watch, args=(pid, children), daemon=True).start()
    _, status, usage = os.wait4(pid, 0)
    account = {
        "wall_s": time.perf_counter() - started,
        "exit_code": os.waitstatus_to_exitcode(status),
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "max_rss_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1_024),
        "children_cpu_s": [children[child] for child in sorted(children)],
    }
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - the same
        json.dump(account, file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
