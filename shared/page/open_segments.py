"""Which segments a further look at a large run reads: those that have moved, and a few of the others.

A segment takes three commands and 0.1 ms of ours to read; whether it has moved takes two fields of a reply. So a look
at 100,000 segments of which nothing has become costs no more than one at a few.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import PORTION_KEYS, Together
from shared.keys import Keyspace
from shared.page.segment_lines import SegmentLines
from shared.record import decode_entry_id, signal_field
from shared.status.facts import RunStatus

FEW = 1_000  # open segments that are read at each look
LOWEST = 200  # of more, those that are always read
IN_TURN = 300  # and those that are read in turn, as a newer run may have replaced them


@dataclass
class OpenSegments:
    """What is known of the segments without a verdict between two looks."""

    endpoint: Endpoint
    keys: Keyspace
    most: int  # segments that have moved and are read at one look
    left: int = 0  # that have moved and were not read yet
    stale: set[int] = field(default_factory=set)  # to be read again, whatever is known
    _signal_ids: dict[int, str] = field(default_factory=dict)
    _next: int = 0
    _scanned_at: object = None

    def numbers(self, run: RunStatus, lines: SegmentLines, local: Mapping[int, object], mark: object) -> list[int]:
        """Return the segments to read now, in order.

        Args:
            run: Its status.
            lines: What is known of its segments.
            local: Verdicts of a follower on this host.
            mark: Where nothing has moved as long as it is the same.

        Redis: HMGET of record and result for each thousand open segments, in one round trip for ten thousand.
        """
        found = sorted({*lines.open_numbers(run.segments), *self.stale})
        if len(found) <= FEW:
            self.left, chosen = 0, found
        else:
            if mark != self._scanned_at or self.left:
                moved = sorted({*self._moved(run, found, lines), *(number for number in found if number in local)})
                self.left = max(0, len(moved) - self.most)
                self._scanned_at = mark
            else:
                moved = []
            start = self._next % len(found)
            self._next = start + IN_TURN
            chosen = sorted({*found[:LOWEST], *moved[: self.most], *found[start : start + IN_TURN]})
        self.stale.difference_update(chosen)
        return chosen

    def note(self, numbers: Sequence[int], signal_ids: Sequence[str]) -> None:
        """Remember the signals of segments that are read now."""
        self._signal_ids.update(zip(numbers, signal_ids, strict=True))

    def _moved(self, run: RunStatus, found: Sequence[int], lines: SegmentLines) -> Iterator[int]:
        """Yield those with a verdict, another signal, or nothing known of them."""
        record, result = self.keys.run(run.run_id), self.keys.result(run.run_id)
        for start in range(0, len(found), 10 * PORTION_KEYS):
            asked = Together(self.endpoint)
            portions = [
                found[begin : begin + PORTION_KEYS]
                for begin in range(start, min(start + 10 * PORTION_KEYS, len(found)), PORTION_KEYS)
            ]
            for portion in portions:
                asked.at(record).hmget(record, list(map(signal_field, portion)))
                asked.at(result).hmget(result, list(map(str, portion)))
            replies: list[Any] = asked.send()
            for portion, ids, verdicts in zip(portions, replies[::2], replies[1::2], strict=True):
                for number, raw, verdict in zip(portion, ids, verdicts, strict=True):
                    is_new = number in self.stale or number not in lines.lines
                    signal_id = decode_entry_id(raw)
                    if verdict is not None or is_new or (signal_id and signal_id != self._signal_ids.get(number)):
                        yield number
