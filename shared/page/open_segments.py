"""Which segments a further look at a large run reads: those that have moved, and a few of the others.

A segment takes three commands and 0.25 ms of ours to read; whether it has moved takes two fields and 0.005 ms.
Even that is half a second for 100,000 segments, so a look asks only where a run moves, which is at its lowest segments
without a verdict and at the lowest unpublished ones, and of all others some in turn. Asking for all at each look was
rejected: a page that shows a run of 100,000 segments drew it anew every two seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import PORTION_KEYS, Together
from shared.keys import Keyspace
from shared.page.segment_lines import UNPUBLISHED, SegmentLines
from shared.record import decode_entry_id, signal_field
from shared.status.facts import RunStatus

FEW = 1_000  # open segments that are read at each look
LOWEST = 100  # of more, those that are always read
IN_TURN = 100  # and those that are read in turn, as a newer run may have replaced them
NEAR = 1_000  # segments that are asked whether they have moved, of the lowest open and of the lowest unpublished ones
ASKED_IN_TURN = 5_000  # and of all, in turn


@dataclass
class OpenSegments:
    """What is known of the segments without a verdict between two looks."""

    endpoint: Endpoint
    keys: Keyspace
    most: int  # segments that have moved and are read at one look
    left: int = 0  # that are known to have moved and were not read yet
    stale: set[int] = field(default_factory=set)  # to be read again, whatever is known
    _signal_ids: dict[int, str] = field(default_factory=dict)
    _moved: set[int] = field(default_factory=set)  # and not read yet
    _read_next: int = 0  # the segment with which what is read in turn goes on
    _ask_next: int = 0
    _mark: object = None
    _not_asked: int = 0  # segments since something has moved

    @property
    def is_behind(self) -> bool:
        """Whether a further look may find something new, even where nothing becomes new in Redis."""
        return self.left > 0 or self._not_asked > 0

    def numbers(self, run: RunStatus, lines: SegmentLines, local: Mapping[int, object], mark: object) -> list[int]:
        """Return the segments to read now, in order.

        Args:
            run: Its status.
            lines: What is known of its segments.
            local: Verdicts of a follower on this host.
            mark: Where nothing has moved as long as it is the same.

        Redis: HMGET of record and result for each thousand segments that are asked for, in one round trip.
        """
        found = sorted({*lines.open_numbers(run.segments), *self.stale})
        if mark != self._mark:
            self._mark, self._not_asked = mark, len(found)
        if len(found) <= FEW:
            self.left = self._not_asked = 0
            self._moved.clear()
            chosen = found
        else:
            chosen = self._chosen(run, found, lines, local)
        self.stale.difference_update(chosen)
        return chosen

    def note(self, numbers: Sequence[int], signal_ids: Sequence[str]) -> None:
        """Remember the signals of segments that are read now."""
        self._signal_ids.update(zip(numbers, signal_ids, strict=True))

    def _chosen(
        self, run: RunStatus, found: Sequence[int], lines: SegmentLines, local: Mapping[int, object]
    ) -> list[int]:
        unknown = [number for number in found if number not in lines.lines or number in self.stale]
        if self._not_asked:
            asked = sorted({*self._where_it_moves(found, lines), *self._in_turn(found)}.difference(unknown))
            self._moved.update(self._has_moved(run, asked))
        self._moved.update(number for number in found if number in local)
        moved = sorted(self._moved.intersection(found))
        waiting = [*moved, *(number for number in unknown if number not in self._moved)]
        chosen = {*waiting[: self.most], *found[:LOWEST]}
        self.left = max(0, len(waiting) - self.most)
        if not self.left:
            start = bisect_left(found, self._read_next)
            turn = found[start : start + IN_TURN]
            self._read_next = turn[-1] + 1 if turn and turn[-1] != found[-1] else 0
            chosen.update(turn)
        self._moved = set(moved) - chosen
        return sorted(chosen)

    def _where_it_moves(self, found: Sequence[int], lines: SegmentLines) -> Iterator[int]:
        """Yield the lowest open segments and the lowest unpublished ones: both programs go on from there."""
        yield from found[:NEAR]
        known = lines.lines
        first = next((n for n, each in enumerate(found) if each in known and known[each].state == UNPUBLISHED), 0)
        yield from found[first : first + NEAR]

    def _in_turn(self, found: Sequence[int]) -> Sequence[int]:
        """Return the segments whose turn it is, until all were asked since something has moved."""
        start = bisect_left(found, self._ask_next)
        turn = found[start : start + ASKED_IN_TURN]
        self._ask_next = turn[-1] + 1 if turn and turn[-1] != found[-1] else 0
        self._not_asked = max(0, self._not_asked - len(turn))
        return turn

    def _has_moved(self, run: RunStatus, found: Sequence[int]) -> Iterator[int]:
        """Yield those with a verdict or another signal."""
        record, result = self.keys.run(run.run_id), self.keys.result(run.run_id)
        asked = Together(self.endpoint)
        portions = [found[begin : begin + PORTION_KEYS] for begin in range(0, len(found), PORTION_KEYS)]
        for portion in portions:
            asked.at(record).hmget(record, list(map(signal_field, portion)))
            asked.at(result).hmget(result, list(map(str, portion)))
        replies: list[Any] = asked.send()
        for portion, ids, verdicts in zip(portions, replies[::2], replies[1::2], strict=True):
            for number, raw, verdict in zip(portion, ids, verdicts, strict=True):
                signal_id = decode_entry_id(raw)
                if verdict is not None or (signal_id and signal_id != self._signal_ids.get(number)):
                    yield number
