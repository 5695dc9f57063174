"""The state of a hand-over as both `status` commands show it: runs, segments, verdicts, the group, dead letters.

Reading (`shared.status.reading`) and judging (`shared.status.judging`) are apart, so that each judgement can be read,
and tested, without a server that is in that state.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from shared.endpoint.endpoint import Endpoint
from shared.errors import NotFinishedError, VerificationFailedError
from shared.keys import Keyspace
from shared.status.facts import GroupStatus, RunStatus
from shared.status.judging import unfinished_things, wrong_things
from shared.status.reading import read_facts


@dataclass(frozen=True)
class Status:
    """Everything that is shown.

    Attributes:
        runs: The newest first, at most 10.
        troubles: What is wrong, as sentences; empty when nothing is.
        exit_code: 0 when nothing is wrong, 65 when data or entries are, 75 when something is not finished.
    """

    endpoint: str
    namespace: str
    runs: list[RunStatus]
    group: GroupStatus
    dead_letters: int
    troubles: list[str]
    exit_code: int

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return asdict(self)


def read_status(endpoint: Endpoint, keys: Keyspace, *, is_scanned: bool = False) -> Status:
    """Look at everything and say what is wrong with it.

    Args:
        endpoint: Where.
        keys: The namespace.
        is_scanned: Whether runs without a signal are looked for among all keys.

    Redis:
        What `read_facts` costs.
    """
    facts = read_facts(endpoint, keys, is_scanned=is_scanned)
    wrong, unfinished = wrong_things(facts), unfinished_things(facts)
    code = VerificationFailedError.exit_code if wrong else NotFinishedError.exit_code if unfinished else 0
    return Status(
        endpoint=endpoint.name,
        namespace=keys.namespace,
        runs=facts.runs,
        group=facts.group,
        dead_letters=facts.dead_letters,
        troubles=wrong + unfinished,
        exit_code=code,
    )
