"""A follower inside the test's own process, and one that serves as a process of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demo.processes import Program
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver
from tests.stage.raw import call, is_in_step
from tests.stage.replicas import ReplicatedPair
from tests.stage.waiting import wait_until


class Following:
    """A producer at the primary and followers at the replica, whose checkpoints lie in a directory of the test's own.

    Attributes:
        primary: The producer's end.
        replica: The followers' end.
        state_directory: Where the checkpoints are.
    """

    def __init__(self, pair: ReplicatedPair, directory: Path) -> None:
        """Start with nothing produced and nothing followed."""
        self._pair = pair
        self.primary = HandOver(pair.primary.url, Keyspace(""))
        self.replica = HandOver(pair.replica.url, Keyspace(""))
        self.state_directory = directory / "handover"
        self.env = {"XDG_STATE_HOME": str(directory)}

    def produce(self, **options: Any) -> str:
        """Carry out `server-a run` at the primary, wait until the replica has all of it, and return the run id."""
        run_id = self.primary.produce(**options).run_id
        self.wait_until_in_step()
        return run_id

    def produce_with_a_loss(self, *, reported: Callable[[], object], **options: Any) -> str:
        """Carry out `server-a run`; segment 1 is lost before its signal, and the audit finds that once it was reported.

        Args:
            reported: Whether the run was reported as it was first signalled.
            options: Of the run.
        """

        def lose() -> None:
            call(self._pair.primary, "DEL", "biglist", "{biglist}:state")

        def wait() -> None:
            wait_until(reported, description="the run is reported without the lost segment")

        with FaultyLink(self._pair.primary.port) as link:
            link.at(b"XADD", lose)
            link.at(b"XRANGE", wait)
            summary = self.primary.produce(url=link.url, patience_s=30.0, **options)
        assert summary.lost_acknowledged
        self.wait_until_in_step()
        return summary.run_id

    def wait_until_in_step(self) -> None:
        """Wait until the replica has all that the primary has."""
        wait_until(lambda: is_in_step(self._pair.primary, self._pair.replica), description="the replica is in step")

    def follow(self, *, url: str = "", **options: Any) -> Any:
        """Carry out `server-b run --once` at the replica, and return its last report."""
        return self.replica.consume(url=url, state_directory=str(self.state_directory), **options)

    def checkpoint(self) -> Any:
        """Return the one checkpoint there is."""
        (path,) = self.state_directory.glob("*.json")
        return json.loads(path.read_text())


def reports_of(program: Program) -> list[Any]:
    """Return what a server-b that serves has reported so far."""
    return [json.loads(line) for line in program.output().splitlines(keepends=True) if line.endswith("\n")]


def wait_for_report(program: Program, run_id: str, *, nth: int = 1) -> Any:
    """Wait until a server-b has reported a run for the nth time, and return that report."""

    def found() -> list[Any]:
        return [report for report in reports_of(program) if report["run_id"] == run_id]

    wait_until(lambda: len(found()) >= nth, description=f"run {run_id} is reported")
    return found()[nth - 1]
