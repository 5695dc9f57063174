"""How far this machine's cores are cores of their own.

Two that share one physical core, as a virtual machine's may at times, slow each other whenever both work. That falls on
the programs, which work while the server does, and hardly on a raw socket, which waits; so it belongs to the figures.
"""

from __future__ import annotations

import subprocess
import sys
import time
from hashlib import blake2b
from statistics import median

_BLOCK = bytes(8_000)
_SPELLS = 25
_BLOCKS_A_SPELL = 500
_BUSY = "import sys\nprint(flush=True)\nwhile True: pass"


def neighbour_slowdown() -> float:
    """Return how many times as long a core takes for the same work while another is busy: 1.0 where it is all its own.

    Takes about half a second, and a process.
    """
    alone_s = _work_s()
    with subprocess.Popen([sys.executable, "-c", _BUSY], stdout=subprocess.PIPE) as busy:
        try:
            assert busy.stdout is not None
            busy.stdout.readline()
            beside_s = _work_s()
        finally:
            busy.kill()
    return round(beside_s / alone_s, 2)


def _work_s() -> float:
    """Return the median of the seconds that one spell of work takes."""
    spells = []
    for _ in range(_SPELLS):
        started = time.perf_counter()
        for _ in range(_BLOCKS_A_SPELL):
            blake2b(b"\n".join([_BLOCK]))
        spells.append(time.perf_counter() - started)
    return median(spells)
