"""What `status` has seen, before anything is judged: values that the reading makes and the judging takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared.state import SegmentState

PENDING = "pending"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class RunStatus:
    """One run.

    Attributes:
        has_record: Whether its record is here; without it count, published and is_finished say nothing.
        published: Segments published so far.
        verdict: Of the whole run; `pending` until every segment has one, `unknown` where the results may have expired
            with the record.
        verdicts: Segments with a verdict.
        reason: Why it failed, was superseded, or can't have a verdict; else empty.
    """

    run_id: str
    has_record: bool
    count: int
    segments: int
    published: int
    is_finished: bool
    verdicts: int
    verdict: str
    reason: str


@dataclass(frozen=True)
class GroupStatus:
    """The consumer group.

    Attributes:
        is_there: Whether any server-b has ever taken part in it, on the stream as it is.
        lag: Entries not delivered to any consumer yet; None where the server can't tell how many.
        has_undelivered: Whether there is any such entry.
        pending: Entries delivered and not acknowledged.
        consumers: name, pending and idle_ms of each consumer name.
    """

    is_there: bool = False
    lag: int | None = 0
    has_undelivered: bool = False
    pending: int = 0
    consumers: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class SegmentSight:
    """One segment of the newest run: its list's length, and what its state says is published there."""

    name: str
    state: SegmentState | None
    length: int


@dataclass(frozen=True)
class Facts:
    """Everything that was seen.

    Attributes:
        runs: The newest first, at most 10; those of which there is a signal or a record.
        first_runs: The segments that a run publishes first, where there are any, and the run that each is of.
        segments: Of the newest run, unless its record says that it is not finished; then none.
        dead_letters: How many there are.
    """

    runs: list[RunStatus]
    first_runs: dict[str, str]
    group: GroupStatus
    segments: list[SegmentSight]
    dead_letters: int
