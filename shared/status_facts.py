"""What `status` has seen, before anything is judged: values that the reading makes and the judging takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared.run_signal import SegmentState


@dataclass(frozen=True)
class RunStatus:
    """One run.

    Attributes:
        published: Segments published so far.
        verdict: Of the whole run; `pending` until every segment has one.
        verdicts: Segments with a verdict.
        reason: Why it failed, was superseded, or can't have a verdict; else empty.
    """

    run_id: str
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
        lag: Entries not delivered to any consumer yet; None where the server can't tell how many.
        has_undelivered: Whether there is any such entry.
        pending: Entries delivered and not acknowledged.
        consumers: name, pending and idle_ms of each consumer name.
    """

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
        runs: The newest first, at most 10.
        segments: Of the newest run, where its lists can be judged; else none.
        dead_letters: How many there are.
    """

    runs: list[RunStatus]
    group: GroupStatus
    segments: list[SegmentSight]
    dead_letters: int
