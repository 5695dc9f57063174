"""A primary and its read-only replica, and the ways in which the replica falls behind."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from demo.servers import Server
from tests.stage.raw import call, is_in_step
from tests.stage.waiting import wait_until


class ReplicatedPair:
    """Two servers; the replica follows the primary until a test says otherwise."""

    def __init__(self, program: Path) -> None:
        """Describe the pair; the block starts it."""
        self._program = program
        self.primary = Server(program)
        self.replica = Server(program)

    def heal(self) -> None:
        """Give both their roles back, and remove every key; at once when nothing was broken."""
        self.replica.resume()
        call(self.primary, "REPLICAOF", "NO", "ONE")
        call(self.replica, "CONFIG", "SET", "replica-serve-stale-data", "yes")
        call(self.primary, "FLUSHALL")
        self.attach()

    def detach(self) -> None:
        """Have the replica take in nothing more, and go on serving what it has: to clients, a replica far behind.

        A link that is down looks the same; here it leads to a port where nobody listens.
        """
        call(self.replica, "REPLICAOF", "127.0.0.1", 1)

    def attach(self) -> None:
        """Have the replica follow the primary, and wait until it is in step."""
        call(self.replica, "REPLICAOF", "127.0.0.1", self.primary.port)
        wait_until(lambda: is_in_step(self.primary, self.replica), description="the replica is in step")

    def __enter__(self) -> Self:
        """Start both."""
        try:
            self.primary.start()
            self.replica.start()
            self.attach()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop both."""
        self.replica.stop()
        self.primary.stop()
