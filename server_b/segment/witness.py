"""Makes the witness of a list that a reading found wrong; see `shared/witness.py` for what it says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from server_b.segment.doubled_numbers import counted_pieces
from server_b.segment.listing import Listing
from server_b.segment.number_runs import NumberRuns, misplaced
from shared.digest import DIGEST_BYTES, SegmentDigest
from shared.record import SOURCE_NUMBERS, RunRecord
from shared.text import cut_text
from shared.witness import KIND_CHANGED, KIND_FOREIGN, KIND_LONG, KIND_ORDER, KIND_SHORT, Witness


@dataclass
class WitnessMaker:
    """Takes the values of a wrong list in insertion order.

    Attributes:
        record: The run's, which says whether its values are numbers; None where it is not there.
    """

    listing: Listing
    record: RunRecord | None
    _digest: SegmentDigest = field(init=False, default_factory=SegmentDigest)
    _numbers: NumberRuns | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Expect numbers where the record says so."""
        signal, record = self.listing.signal, self.record
        if record is not None and record.source == SOURCE_NUMBERS:
            self._numbers = NumberRuns(record.range_of(signal.segment).first + 1, signal.count)

    def add(self, values: list[bytes]) -> None:
        """Take the next portion of `Listing.values`."""
        self._digest.add(b"\n".join(values), len(values))
        if self._numbers is not None:
            self._numbers.add(values)

    def witness(self, announced: bytes | None) -> Witness | None:
        """Return the witness when all values were taken; None when the list is as announced after all.

        `announced` are the digests of its blocks, see `Listing.announced_blocks`.
        """
        listing, signal = self.listing, self.listing.signal
        is_right = self._digest.hexdigest() == signal.digest and listing.length == signal.count
        if is_right:
            return None
        kind = (
            KIND_SHORT
            if listing.length < signal.count
            else KIND_LONG
            if listing.length > signal.count
            else KIND_CHANGED
        )
        witness = Witness(kind, signal.segment)
        if announced is not None and listing.listed == listing.length:
            places = block_places(announced, bytes(self._digest.blocks))
            witness = replace(witness, block=places[0] + 1 if places else None, blocks=len(places))
        return witness_of_numbers(witness, self._numbers, listing.length) if self._numbers is not None else witness


def block_places(announced: bytes, found: bytes) -> list[int]:
    """Return which blocks differ, from 0, given their digests; one that only one of the two has differs too."""
    places = range(0, max(len(announced), len(found)), DIGEST_BYTES)
    return [place // DIGEST_BYTES for place in places if _at(announced, place) != _at(found, place)]


def _at(digests: bytes, place: int) -> bytes:
    return digests[place : place + DIGEST_BYTES]


def witness_of_numbers(witness: Witness, found: NumberRuns, length: int) -> Witness:
    """Return a witness with what can be told where numbers are expected, of a list of so many values."""
    right = found.right
    if right < length or right < found.count:
        witness = replace(
            witness,
            position=found.first + right,
            expected=str(found.first + right) if right < found.count else None,
            found=cut_text(found.wrong) if found.wrong is not None else None,
        )
    if found.values != length:
        return witness  # only the beginning of it was read
    if found.bits is None:
        runs = list(found.runs())
        pieces, missing = counted_pieces(runs, found.count)
        out_of_order = sum(piece.high - piece.low for piece in misplaced(runs, pieces))
    else:
        missing, out_of_order = found.count - found.distinct, None
    numbers = length - found.foreign
    doubled = numbers - (found.count - missing)
    return replace(
        witness,
        kind=_kind(witness.kind, length, wrong=missing + doubled + found.foreign, foreign=found.foreign, right=right),
        missing=missing,
        doubled=doubled,
        foreign=found.foreign,
        out_of_order=out_of_order,
    )


def _kind(kind: str, length: int, *, wrong: int, foreign: int, right: int) -> str:
    if length and foreign == length:
        return KIND_FOREIGN
    return KIND_ORDER if not wrong and right < length else kind
