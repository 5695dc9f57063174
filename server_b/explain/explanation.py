"""What is wrong with the lists of a failed run: the witnesses of its verdicts, and the lists as they are now.

A list may have been replaced, or mended, since its verdict: then it can't be explained any more, and that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from server_b.explain.found_verdicts import MAX_EXPLAINED, FoundVerdicts
from server_b.explain.lines import LineExplanation, LinesOfFile
from server_b.explain.numbers import add_numbers
from server_b.explain.ranges import DIFFERING, MOVED, WrongRanges
from server_b.segment.listing import Listing
from server_b.segment.look import SegmentLook
from server_b.segment.number_runs import NumberRuns
from server_b.segment.witness import block_places
from shared.digest import BLOCK_VALUES, SegmentDigest
from shared.endpoint.endpoint import Endpoint
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.record import SOURCE_NUMBERS, RunRecord
from shared.segments import SegmentRange
from shared.signal import Signal
from shared.verdict import SegmentVerdict
from shared.witness import Witness


@dataclass
class Explanation:
    """All that is wrong with a run; `notes` are sentences about segments."""

    run_id: str
    verdict: str
    failed: list[int] = field(default_factory=list)
    witnesses: list[Witness] = field(default_factory=list)
    ranges: WrongRanges = field(default_factory=WrongRanges)
    notes: list[tuple[int, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {
            "run_id": self.run_id,
            "verdict": self.verdict,
            "witnesses": [witness.as_json() for witness in self.witnesses],
            "ranges": [asdict(each) for each in self.ranges.kept],
            "ranges_left_out": dict(self.ranges.left_out),
            "notes": [{"segment": segment, "note": note} for segment, note in self.notes],
        }


@dataclass
class Explainer:
    """Explains one segment after the other; `file` has the lines of the run, None where it was not given."""

    endpoint: Endpoint
    keys: Keyspace
    run_id: str
    file: LinesOfFile | None

    def explain(self, verdicts: FoundVerdicts, passed: Callable[[int], None] = lambda _: None) -> Explanation:
        """Return what is wrong with the segments that failed; `passed` is called with numbers of those looked at.

        Raises:
            InvalidInputError: The file is not that of the run.
            SegmentChangedError: A list changed while it was read.

        Redis: for each of them TIME and HMGET of state and record, then LLEN and LRANGE of all of it.
        """
        found = Explanation(self.run_id, verdicts.verdict, list(verdicts.failed))
        for segment, verdict in verdicts.failed.items():
            if verdict.witness is not None:
                found.witnesses.append(verdict.witness)
            found.notes += [(segment, note) for note in self._notes(verdict, found.ranges)]
            passed(1)
        if verdicts.left_out is not None:
            first, others = verdicts.left_out
            note = f"one of {others:,} that failed beyond the first {MAX_EXPLAINED:,}, which are not looked at"
            found.notes.append((first, note))
        return found

    def _notes(self, verdict: SegmentVerdict, ranges: WrongRanges) -> Iterable[str]:
        """Read a segment's list and add what is wrong with it; return what else is to be said of it."""
        signal = Signal(self.run_id, verdict.attempt, verdict.segment, verdict.segments, verdict.count, verdict.digest)
        look = SegmentLook.read(self.endpoint, self.keys, signal, "0-0")
        if gone := look.obstacle or self._replaced(signal, look):
            return [gone]
        key = self.keys.segment(signal.segment)
        try:
            length = self.endpoint.at(key).llen(key)
        except WrongKeyError as error:
            return [str(error)]
        listing = Listing(self.endpoint, self.keys, signal, look.size, length)
        if look.record is None:
            return ["the record of the run is gone, so what was expected is not known"]
        if look.contradiction:
            return [look.contradiction]
        return self._compared(listing, look.record, ranges)

    def _replaced(self, signal: Signal, look: SegmentLook) -> str:
        state = look.state
        if state is None:
            return "the list is gone, or was never there"
        if state.run_id != signal.run_id:
            return f"the list has been replaced since, by run {state.run_id}"
        if state.attempt != signal.attempt:
            return f"the list has been written again since, as attempt {state.attempt}"
        return ""

    def _compared(self, listing: Listing, record: RunRecord, ranges: WrongRanges) -> list[str]:
        part = record.range_of(listing.signal.segment)
        notes = []
        if listing.listed < listing.length:
            notes.append(f"only the oldest {listing.listed:,} of its {listing.length:,} values were compared")
        if record.source == SOURCE_NUMBERS:
            return notes + _of_numbers(listing, part, ranges)
        if self.file is None:
            return notes + _of_blocks(listing, part, ranges)
        return notes + _of_lines(listing, part, self.file, ranges)


def _of_numbers(listing: Listing, part: SegmentRange, ranges: WrongRanges) -> list[str]:
    found = NumberRuns(part.first + 1, part.count)
    for values in listing.values():
        found.add(values)
    if not add_numbers(found, ranges):
        return ["the list falls into too many pieces to say where its values are"]
    return [_AS_ANNOUNCED] if found.right == found.count == listing.length else []


_AS_ANNOUNCED = "the list holds what was expected by now"


def _of_blocks(listing: Listing, part: SegmentRange, ranges: WrongRanges) -> list[str]:
    """Add the blocks whose digests differ, all that can be told of lines without the file."""
    digest = SegmentDigest()
    for values in listing.values():
        digest.add(b"\n".join(values), len(values))
    if digest.hexdigest() == listing.signal.digest and listing.length == part.count:
        return [_AS_ANNOUNCED]
    announced = listing.announced_blocks()
    for place in block_places(announced, bytes(digest.blocks)) if announced is not None else ():
        first = part.first + place * BLOCK_VALUES + 1
        last = min(first + BLOCK_VALUES - 1, part.first + max(part.count, listing.length))
        ranges.add(DIFFERING, first, last)
    return ["give the file that the run was written from as --values FILE to see which lines"]


def _of_lines(listing: Listing, part: SegmentRange, file: LinesOfFile, ranges: WrongRanges) -> list[str]:
    file.require(part, listing.signal.digest)
    lines, before = LineExplanation(file, part, ranges), ranges.added
    lines.compare(listing.values())
    if lines.lost_at is not None:
        return [f"from position {lines.lost_at:,} on nothing fits"]
    if not lines.is_sorted:
        return [f"too many lines differ to tell which of them were {MOVED}"]
    return [] if ranges.added > before else [_AS_ANNOUNCED]
