"""Reads and verifies an opened segment in a thread of its own, so that the link is never idle between two segments.

While the story waits for a verdict to be recorded, takes the next entry and opens its segment, values keep coming.
Lease and heartbeat stay with the story, which renews them only while values come: a reading that hangs lets them go.

A thread for each segment was preferred to one that serves all: it ends with its segment, so there is nothing to stop.
"""

from __future__ import annotations

import time
from contextlib import suppress
from threading import Event, Thread

from server_b.segment.reader import Opening, SegmentReader
from server_b.segment.verifier import SegmentVerifier
from shared.endpoint.reply_times import ReplyTimes
from shared.errors import TransientError
from shared.signal import Signal


class Reading:
    """One reading of a segment; it begins when the reading before it has ended.

    The thread alone uses the reader until it has ended; afterwards whoever made the reading does.
    """

    def __init__(self, reader: SegmentReader, signal: Signal, *, behind: Reading | None) -> None:
        """Begin to read what `reader` has asked for, `behind` another reading or at once."""
        self.signal = signal
        self.began_s: float | None = None  # when the values began to be read; None while it waits for the one before
        self._opening: Opening | None = None
        self._reader, self._behind = reader, behind
        self._next: SegmentReader | None = None
        self._verifier = SegmentVerifier(signal.count, signal.digest)
        self._read = self._told = 0  # values
        self._is_cancelled = False
        self._wrong = ""
        self._fault: BaseException | None = None
        self._nearly_asked = Event()
        self._thread = Thread(target=self._run, name=f"reading of segment {signal.segment}", daemon=True)
        if behind is not None:
            behind.lead(reader)
        self._thread.start()

    def lead(self, reader: SegmentReader) -> None:
        """Let the reader of the next segment ask for values in the room that this reading leaves at its end."""
        self._next = reader

    def keep_alive(self) -> None:
        """Keep the watching connections from being idle, also of the reading that waits behind this one."""
        self._reader.keep_alive()
        if (behind := self._next) is not None:
            behind.keep_alive()

    @property
    def opening(self) -> Opening:
        """What its first transaction found; there is one when `result` has raised nothing."""
        assert self._opening is not None, "the reading has a result"
        return self._opening

    @property
    def times(self) -> ReplyTimes:
        """How long the replies took."""
        return self._reader.times

    @property
    def values(self) -> int:
        """How many values were read and verified so far."""
        return self._verifier.values

    @property
    def value_bytes(self) -> int:
        """How many bytes these values have."""
        return self._verifier.value_bytes

    @property
    def is_all_asked(self) -> bool:
        """Whether all values were asked for."""
        return not self._reader.left

    def is_nearly_asked(self, wait_s: float) -> bool:
        """Wait a moment; tell whether the server will soon have nothing to send unless another segment is opened."""
        return self._nearly_asked.wait(wait_s)

    def has_ended(self, wait_s: float) -> bool:
        """Wait a moment; tell whether there is a result."""
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def new_values(self) -> int:
        """Return how many values were read since this was asked last."""
        told, self._told = self._told, self._read
        return self._told - told

    def take_back(self) -> int:
        """Return how many values `new_values` told of, and begin to tell anew: the reading counts for nothing."""
        told, self._told = self._told, 0
        return told

    def lost_connection(self) -> TransientError | None:
        """Wait for the end, and return the fault if the connection was lost."""
        self._thread.join()
        return self._fault if isinstance(self._fault, TransientError) else None

    def result(self) -> str:
        """Return what is wrong with the list, or an empty text, when the reading has ended.

        Raises:
            SegmentChangedError: The list was replaced.
            LongReplyError: A value is longer than any that was announced.
            WrongKeyError: The key holds no list.
            TransientError: The connection was lost, in this reading or in the one before.
        """
        if self._fault is not None:
            raise self._fault
        return self._wrong

    def require_untouched(self) -> int:
        """Return the server's clock; SegmentChangedError if list or state changed since before the first chunk."""
        return self._reader.require_untouched(self.signal.count)

    def close(self) -> None:
        """End the reading at its next reply, and give its connections back; the one before must have ended."""
        self._is_cancelled = True
        self._thread.join()
        self._reader.close()

    def _run(self) -> None:
        try:
            # the same link: if each reading waited for a time-out of its own, a stop request would wait for both
            self._fault = self._behind.lost_connection() if self._behind is not None else None
            self._behind = None
            if self._fault is None:
                self._wrong = self._read_through()
        except BaseException as error:  # noqa: BLE001 - `result` raises it
            self._fault = error
        finally:
            self._nearly_asked.set()

    def _read_through(self) -> str:
        self.began_s = time.monotonic()
        self._opening = self._reader.opened()
        length, count = self._opening.length, self.signal.count
        if length != count:
            return f"{'long' if length > count else 'short'}: {length} values where {count} were announced"
        reader, verifier = self._reader, self._verifier
        left = count
        self._tell_what_is_left()
        for chunk, values in reader.read():
            if self._is_cancelled:
                return "cancelled"
            try:
                wrong = verifier.add(chunk, values)
            except TypeError as error:  # to look at each value beforehand would take a tenth of the time
                raise self._reader.strange_values() from error
            if wrong:
                return wrong
            self._read += len(values)
            if reader.left != left or not left:  # once a transaction, and oftener at the end
                left = reader.left
                self._tell_what_is_left()
        return verifier.verdict()

    def _tell_what_is_left(self) -> None:
        """Tell when the end is near, and let the next reading ask in the room that this one leaves."""
        if not self._reader.left and self._next is not None:
            with suppress(TransientError):  # it meets the fault itself in its turn
                self._next.ask_ahead()
        if not self._nearly_asked.is_set() and self._reader.is_nearly_asked:
            self._nearly_asked.set()
