"""A raw socket in a process of its own: `python -m bench.links.raw_writer PORT COUNT SEGMENTS NUMBER ...`.

It encodes the segments of these numbers, says `ready`, waits for a line, writes them, and says `done`.
"""

from __future__ import annotations

import sys

from bench.links.sizes import Cut
from bench.raw import RawSocket

_IN_FLIGHT = 4


def main() -> None:
    """Write."""
    port, count, segments, *numbers = map(int, sys.argv[1:])
    cut = Cut(count, segments)
    pushes = [push for r in cut.ranges() if r.number in numbers for push in cut.pushes_of(r)]
    raw = RawSocket(port)
    print("ready", flush=True)
    sys.stdin.readline()
    raw.exchange(pushes, in_flight=_IN_FLIGHT)
    print("done", flush=True)
    raw.close()


if __name__ == "__main__":
    main()
