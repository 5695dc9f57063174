"""Works through the tasks of one writer: a thread, in server-a's own process or in a writer process.

A thread of its own, so that the story can publish and signal a segment while the next one is written. Its first batches
are sent behind the last ones of the segment before, so that the link is never idle between two. Behind the last
segment go the questions of its publication, which saves that a round trip.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Thread

from server_a.run.tasks import Acknowledged, Event, Lost, WriteTask, Written
from server_a.run.values import ValueSource
from server_a.run.writer import SegmentWriter
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import Command
from shared.errors import HandoverError, TransientError

TELL_EVERY_S = 0.02
LEAVE_AFTER_S = 6.0  # longer than the socket's time-out, which ends whatever the thread waits for
SETTLE_S = 1.0
Look = Callable[[str, str], tuple[list[str], list[Command]]]
"""Returns what to watch and to ask before a segment's list is replaced by its staging list, given the two keys."""


@dataclass
class _Attempt:
    """A task and how far it is."""

    task: WriteTask
    node: str
    writer: SegmentWriter
    told: int = field(init=False, default=0)  # acknowledged values that were told of
    tell_at_s: float = field(init=False, default=0.0)
    has_asked: bool = field(init=False, default=False)  # nothing more can be sent on its connection


class WriterThread(Thread):
    """Writes one segment after the other; `emit` gets what came of each."""

    def __init__(
        self, endpoint: Endpoint, source: ValueSource, emit: Callable[[Event], None], look: Look | None = None
    ) -> None:
        super().__init__(name="writer", daemon=True)
        self._endpoint = endpoint
        self._source = source
        self._emit = emit
        self._look = look
        self._tasks: SimpleQueue[WriteTask | None] = SimpleQueue()
        self._is_cancelled = Flag()
        self._current: _Attempt | None = None
        self._behind: _Attempt | None = None  # the one before it: all of it sent, not all answered

    def give(self, task: WriteTask) -> None:
        """Add a task."""
        self._tasks.put(task)

    def cancel(self) -> None:
        """Leave what is under way; return when nothing more is sent and, if possible, what was sent is carried out.

        Staging keys stay.
        """
        self._is_cancelled.set()
        self._tasks.put(None)
        if self.is_alive():
            self.join(LEAVE_AFTER_S)

    def run(self) -> None:
        """Write until cancelled."""
        while (task := self._next()) is not None:
            self._write(task)
        self._settle(self._behind)
        self._leave(self._behind)

    def _next(self) -> WriteTask | None:
        while self._behind is not None:
            try:
                return self._unless_cancelled(self._tasks.get_nowait())
            except Empty:  # nothing to send behind it
                self._read_behind(wait=True)
        return self._unless_cancelled(self._tasks.get())

    def _unless_cancelled(self, task: WriteTask | None) -> WriteTask | None:
        """Return a task unless we are to end: its connection may take seconds to open, and nothing would be sent."""
        return None if self._is_cancelled.is_set() else task

    def _write(self, task: WriteTask) -> None:
        """Send a whole segment; its last replies are read while the next one is sent, or when there is none."""
        self._current = None
        try:
            self._current = attempt = self._begin(task)
            for batch in self._source.batches(task.segment):
                if self._is_cancelled.is_set():
                    raise TransientError(where=task.staging_key, expected="to finish", got="a stop")  # noqa: TRY301
                packed = attempt.writer.packed(batch)
                self._make_room(attempt, len(packed))
                attempt.writer.send(batch, packed)
                self._read_behind(wait=False)
                self._tell(attempt)
            while self._behind is not None:
                self._read_behind(wait=True)
            self._ask(attempt)
        except Exception as error:  # noqa: BLE001 - the story raises what is not to be repeated
            if self._is_cancelled.is_set():
                self._settle(self._current)
            self._lose(task, self._current, error)
        else:
            self._behind = attempt
        self._current = None

    def _begin(self, task: WriteTask) -> _Attempt:
        """Begin on the connection of the attempt before if it leads to the right server, else on another."""
        node, behind = self._endpoint.node_of(task.segment_key), self._behind
        is_usable = behind is not None and behind.writer.connection.is_open and not behind.has_asked
        if behind is not None and behind.node == node and is_usable:
            connection = behind.writer.connection
        else:
            connection = self._endpoint.batch(task.segment_key)
        return _Attempt(task, node, SegmentWriter(connection, task.staging_key))

    def _ask(self, attempt: _Attempt) -> None:
        """Look at what the publication depends on, behind the last batch, if no segment is to be sent there."""
        if self._look is not None and self._tasks.empty():
            attempt.has_asked = True
            attempt.writer.connection.watch_and_ask(*self._look(attempt.task.segment_key, attempt.task.staging_key))

    def _make_room(self, attempt: _Attempt, size: int) -> None:
        """Read replies until so many bytes may be sent."""
        connection = attempt.writer.connection
        while not connection.flights.has_room(size):
            if self._behind is not None and self._behind.writer.connection is connection:
                self._read_behind(wait=True)
            else:
                attempt.writer.check_reply()

    def _read_behind(self, *, wait: bool) -> None:
        """Read one reply of the attempt before, or all that have come; tell what came of it when that was the last."""
        behind = self._behind
        if behind is None:
            return
        writer = behind.writer
        try:
            if wait and not writer.is_answered:
                writer.check_reply()
            while not writer.is_answered and writer.connection.is_readable():
                writer.check_reply()
        except Exception as error:  # noqa: BLE001 - as in `_write`
            self._behind = None
            self._lose(behind.task, behind, error)
            return
        self._tell(behind)
        if writer.is_answered:
            self._behind = None
            self._end(behind)

    def _end(self, attempt: _Attempt) -> None:
        writer, connection = attempt.writer, attempt.writer.connection
        self._tell(attempt, is_last=True)
        times = connection.flights.take_times()
        asked = connection.to_pipeline() if attempt.has_asked else None
        self._leave(attempt)
        assert writer.began_s is not None, "a segment has at least one value"
        told = (writer.longest, writer.value_bytes, writer.began_s, times)
        self._emit(Written(attempt.task, writer.finish(), *told, asked=asked))

    def _lose(self, task: WriteTask, attempt: _Attempt | None, error: Exception) -> None:
        if attempt is not None:
            attempt.writer.connection.close(keep=False)
        self._emit(Lost(task, error, attempt.writer.began_s if attempt is not None else None))

    def _leave(self, attempt: _Attempt | None) -> None:
        """Give a connection back unless the next attempt goes on with it."""
        current = self._current
        if attempt is not None and (current is None or current.writer.connection is not attempt.writer.connection):
            attempt.writer.connection.close()

    def _settle(self, attempt: _Attempt | None) -> None:
        """Wait, a second at most, until what was sent can create no staging key: it is removed next, for good then."""
        until_s, behind = time.monotonic() + SETTLE_S, self._behind
        for each in filter(None, (behind, attempt)):
            connection = each.writer.connection
            with suppress(HandoverError):  # the connection is lost: its bytes may come at any time
                while each.writer.may_create and connection.is_readable(wait_s=max(0.0, until_s - time.monotonic())):
                    is_first = behind is not None and behind.writer.connection is connection
                    first = behind if behind is not None and is_first and not behind.writer.is_answered else each
                    first.writer.check_reply()

    def _tell(self, attempt: _Attempt, *, is_last: bool = False) -> None:
        """Tell how many values were acknowledged, at most 50 times a second."""
        now_s = time.monotonic()
        if not is_last and now_s < attempt.tell_at_s:
            return
        attempt.tell_at_s = now_s + TELL_EVERY_S
        if values := attempt.writer.acknowledged - attempt.told:
            attempt.told += values
            self._emit(Acknowledged(attempt.task, values))
