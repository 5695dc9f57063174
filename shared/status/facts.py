"""What `status` read, before it is judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared.state import SegmentState

PENDING = "pending"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class RunStatus:
    """One run."""

    run_id: str
    has_record: bool  # without its record, count, published and is_finished say nothing
    count: int
    segments: int
    published: int  # segments published so far
    is_finished: bool
    verdicts: int  # segments with a verdict
    verdict: str  # `pending` until every segment has one, `unknown` where they may have expired with the record
    reason: str  # why it failed, was superseded, or can't have a verdict; else empty


@dataclass(frozen=True)
class GroupStatus:
    """The consumer group."""

    is_there: bool = False  # whether any server-b has ever taken part in it, on the stream as it is
    lag: int | None = 0  # entries not delivered to any consumer yet; None where the server can't tell how many
    has_undelivered: bool = False
    pending: int = 0  # entries delivered and not acknowledged
    consumers: list[dict[str, Any]] = field(default_factory=list)  # name, pending and idle_ms of each


@dataclass(frozen=True)
class SegmentFacts:
    """One segment of the newest run: its state, and the length of its list."""

    name: str
    state: SegmentState | None
    length: int


@dataclass(frozen=True)
class Facts:
    """Everything that was read."""

    runs: list[RunStatus]  # those with a signal or a record, newest first, at most 10
    first_segment: str  # the name of segment 1, which every run publishes first
    first_run: str  # the run that segment 1's state names; empty when there is none
    group: GroupStatus
    segments: list[SegmentFacts]  # of the newest run; empty while its record says that it is not finished
    dead_letters: int
