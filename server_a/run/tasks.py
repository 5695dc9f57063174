"""What a writer is told and what it answers. All of it can be pickled, because a writer may be another process."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from shared.endpoint.node_client import NodePipeline
from shared.endpoint.reply_times import ReplyTimes
from shared.segments import SegmentRange

ASKED_FOR_S = 1.0


@dataclass(frozen=True)
class WriteTask:
    """One attempt at a segment."""

    segment: SegmentRange
    segment_key: str
    staging_key: str  # never written to before
    attempt: str  # its token


@dataclass(frozen=True)
class WrittenSegment:
    """What an attempt has put into its staging key; `blocks` are the concatenated raw digests of its blocks."""

    count: int
    digest: str
    blocks: bytes


@dataclass(frozen=True)
class Acknowledged:
    """So many more values of a task are on the server."""

    task: WriteTask
    values: int


@dataclass(frozen=True)
class Written:
    """A task is done: every reply was as expected."""

    task: WriteTask
    written: WrittenSegment
    longest: int  # bytes of its longest value
    value_bytes: int  # of all its values
    began_s: float  # when its first command was sent, on this host's monotonic clock
    times: ReplyTimes  # of its batches
    asked: NodePipeline | None = None  # where publication's questions were sent behind the last batch; for one user
    ended_s: float = field(default_factory=time.monotonic)  # when the last reply was read; as `began_s`

    def take_asked(self) -> NodePipeline | None:
        """Return `asked` unless it has waited so long that its answers, or its connection, are of the past."""
        if self.asked is None or time.monotonic() - self.ended_s < ASKED_FOR_S:
            return self.asked
        self.leave()
        return None

    def leave(self) -> None:
        """Close `asked`, which nobody is going to use."""
        if self.asked is not None:
            self.asked.close()


@dataclass(frozen=True)
class Lost:
    """A task has failed, and nothing more is sent for it."""

    task: WriteTask
    error: Exception
    began_s: float | None  # None when nothing was sent
    lost_s: float = field(default_factory=time.monotonic)  # when it was noticed; as `began_s`


@dataclass(frozen=True)
class PublicationEnded:
    """A written task was published, or `error` came instead."""

    done: Written
    error: Exception | None
    ended_s: float  # as `began_s`

    @property
    def task(self) -> WriteTask:
        """The task that wrote it."""
        return self.done.task


Event = Acknowledged | Written | Lost | PublicationEnded
