"""What `status` read, before it is judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared.signal import Signal
from shared.state import SegmentState
from shared.verdict import SegmentVerdict

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
    verdicts: int  # segments with a verdict; of the newest run only verdicts on what is published now
    verdict: str  # `pending` until every segment has one; `unknown` where they may have expired, or were not read
    reason: str  # why it failed, was superseded, or can't have a verdict; else empty


@dataclass(frozen=True)
class GroupStatus:
    """The consumer group."""

    is_there: bool = False  # whether any server-b has ever taken part in it, on the stream as it is
    lag: int | None = 0  # entries not delivered to any consumer yet; None where the server can't tell how many
    has_undelivered: bool = False
    pending: int = 0  # entries delivered and not acknowledged
    consumers: list[dict[str, Any]] = field(default_factory=list)  # name, pending and idle_ms of each
    last_delivered_id: str = "0-0"  # every entry up to this one was delivered to a consumer


@dataclass(frozen=True)
class SegmentFacts:
    """One segment of the newest run.

    Attributes:
        state: What is published under its name.
        length: The length of its list.
        verdict: What the result holds for it.
        signal_id: The entry that the record names; empty where it names none, or where nobody has to know.
        has_entry: Whether the stream holds an entry of that id.
        signal: That entry, where it is a signal.
    """

    number: int
    name: str
    state: SegmentState | None
    length: int
    verdict: SegmentVerdict | None = None
    signal_id: str = ""
    has_entry: bool = False
    signal: Signal | None = None


@dataclass(frozen=True)
class StreamFacts:
    """What the server that holds the stream said, in one round trip."""

    entries: int  # of the stream
    first_page: list[Any]  # its newest entries, as XREVRANGE returns them
    group: GroupStatus
    dead_letters: int
    foreign_letters: int  # entries under the dead letters' name where none that was read is one of ours
    first_run: str  # the run that segment 1's state names; empty when there is none
    server_ms: int  # the server's clock, milliseconds since 1970
    foreign_entries: int = 0  # entries of the stream where it is somebody else's
    has_foreign_groups: bool = False  # whether it is empty, and has groups of others alone
