"""A link of the stage, as a process: `python -m demo.stage.link_process SERVER_PORT BYTES_PER_S`.

It prints the port that it listens on, and carries connections to the server on this host until its standard input ends.
Lines there change it: `to PORT` leads new connections elsewhere, `delay SECONDS` adds to each round trip, `cut` closes
every connection and each new one, `join` ends that. The port stays open while the link is cut, so nobody can take it.
"""

from __future__ import annotations

import os
import selectors
import sys

from bench.links.proxy import DelayingProxy


class StageLink(DelayingProxy):
    """The benchmark's link, which can be changed while it carries."""

    _is_cut = False

    def serve(self) -> None:
        """Carry until standard input ends."""
        self._selector.register(sys.stdin, selectors.EVENT_READ, sys.stdin)
        while True:
            for key, events in self._selector.select(self._wait_s()):
                if key.data is sys.stdin:
                    if not self._obey(os.read(sys.stdin.fileno(), 4_096).decode()):
                        return
                elif key.fileobj is self._listener:
                    self._connect()
                elif key.data in self._ends:
                    self._handle(key.data, events)
            for end in [end for end in self._ends if not end.is_full]:
                self._deliver(end)

    def _obey(self, lines: str) -> bool:
        """Change what the lines say; return False at the end of the input. A line is written at once, and so read."""
        for line in lines.splitlines():
            word, _, value = line.partition(" ")
            if word == "to":
                self._server_port = int(value)
            elif word == "delay":
                self.set_delay(float(value))
            else:
                self._is_cut = word == "cut"
                for end in list(self._ends) if self._is_cut else []:
                    if end in self._ends:
                        self._close(end)
        return bool(lines)

    def _connect(self) -> None:
        if self._is_cut:
            self._listener.accept()[0].close()
        else:
            super()._connect()


def main() -> None:
    """Serve."""
    server_port, bytes_per_s = map(int, sys.argv[1:])
    link = StageLink(server_port, delay_s=0, bytes_per_s=bytes_per_s)
    print(link.port, flush=True)
    link.serve()


if __name__ == "__main__":
    main()
