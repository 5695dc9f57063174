"""The entry behind the one in hand: taken, and its segment opened, before the other one's verdict is recorded.

Otherwise nothing comes over the link for as long as it takes to record a verdict, take an entry, look at it and open
its segment: a round trip each, at least. Whatever ends the work on the entry in hand ends it on this one too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from server_b.group.consumer import Consumer
from server_b.group.delivery import Delivery
from server_b.group.entries import EntrySource
from server_b.group.entry import Entry
from server_b.segment.examiner import SegmentExaminer
from server_b.segment.reading import Reading
from shared.errors import InvalidInputError, LongReplyError, WrongKeyError
from shared.signal import Signal
from shared.stopping import StopRequest
from shared.verdict import SegmentVerdict


class Taken(NamedTuple):
    """An entry taken ahead of its turn."""

    entry: Entry
    delivery: Delivery | None = None  # None when it has to be looked at again in its turn
    reading: Reading | None = None  # None when there is nothing to read yet, or nothing at all


@dataclass
class EntryAhead:
    """Holds one entry at most, beside the one in hand."""

    consumer: Consumer
    source: EntrySource
    examiner: SegmentExaminer
    stop: StopRequest
    max_deliveries: int
    _taken: Taken | None = field(init=False, default=None)

    def examine(
        self, delivery: Delivery, begun: Reading | None, *, takes_next: bool, nearly_read: Callable[[Signal], bool]
    ) -> SegmentVerdict | None:
        """Return the verdict as `SegmentExaminer.examine` does.

        As the reading nears its end, `nearly_read` is called and, if it returns true, the next entry taken.
        """
        signal, look = delivery.signal, delivery.look
        if begun is None:
            return self.examiner.examine(signal, look)
        with closing(begun):
            self.examiner.follow(begun, to_end=False)
            is_well = nearly_read(signal)
            if is_well and takes_next and not self.stop.is_requested:
                self._take(delivery.entry, begun)
            return self.examiner.examine(signal, look, begun)

    def _take(self, in_hand: Entry, behind: Reading) -> None:
        """Take the next entry if there is one already, and begin to read its segment behind the one in hand.

        What can't be examined, or not yet, is left to its turn.
        """
        entry = self.source.take_ahead(in_hand)
        if entry is None:
            return
        self.consumer.hold(entry, is_in_hand=False)
        self._taken = Taken(entry)
        with suppress(InvalidInputError, LongReplyError, WrongKeyError):  # raised and reported in its turn
            self._taken = self._begin(entry, Signal.decode(entry.fields or {}), behind)

    def look_at(self, entry: Entry, signal: Signal) -> tuple[Delivery, Reading | None]:
        """Return what is known of an entry whose turn has come, and the reading of its segment if it can be read.

        The reading is the caller's, who gives it to `examine`.
        """
        taken, self._taken = self._taken, None
        if taken is None or taken.entry is not entry or taken.delivery is None:
            taken = self._begin(entry, signal, None)
        assert taken.delivery is not None
        return taken.delivery, taken.reading

    def _begin(self, entry: Entry, signal: Signal, behind: Reading | None) -> Taken:
        """Watch a segment while the look at it is under way, and begin to read it if that is what is to be done."""
        reader = self.examiner.watch(signal)
        try:
            delivery = self.source.look_at(entry, signal)
            look = delivery.look
            if delivery.is_known or look.contradiction or look.obstacle or delivery.number > self.max_deliveries:
                reader.close()
                return Taken(entry, delivery, None)
            return Taken(entry, delivery, self.examiner.begin(signal, delivery.look, reader, behind=behind))
        except BaseException:
            reader.close()
            raise

    @contextmanager
    def dropped_at_fault(self) -> Iterator[None]:
        """Drop the entry if the block ends with an error; see `close`."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the reading, and hold the entry no more; its source gives it back or hands it out again."""
        taken, self._taken = self._taken, None
        if taken is not None:
            self.consumer.release(taken.entry)
            if taken.reading is not None:
                taken.reading.close()
