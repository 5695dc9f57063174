"""The comparison on one server, from an empty one to the rows of the table."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench.contest import hold
from bench.raw import RawSocket
from bench.structures.facts import facts_of
from bench.structures.table import Row
from bench.structures.trial import trials
from demo.servers import Server


def compare(binary: Path, *, count: int, rounds: int, on_round: Callable[[str, int], None]) -> tuple[str, list[Row]]:
    """Start a server, measure all structures with the numbers 1 to count, and return its version and their rows.

    Args:
        binary: The server.
        count: Values in each structure.
        rounds: Rounds that count, besides one to warm up.
        on_round: Called with version and number of each round before it begins, 0 for the warm-up.

    Raises:
        ServerStartError: A server did not come up.
        RuntimeError: A reading did not bring the values in reverse.
    """
    with Server(binary) as server, closing(RawSocket(server.port)) as raw:
        version = raw.version()
        facts = facts_of(binary, raw, count=count)
        all_trials = trials(raw, count)
        contests = [contest for trial in all_trials for contest in trial.contests()]
        outcomes = iter(hold(contests, rounds=rounds, on_round=lambda number: on_round(version, number)))
        return version, [
            Row(
                structure=trial.structure.name,
                count=count,
                bytes_a_value=trial.bytes_a_value,
                readings=trial.readings,
                write=next(outcomes),
                read=next(outcomes),
                facts=facts[trial.structure.name],
            )
            for trial in all_trials
        ]
