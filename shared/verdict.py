"""Verdicts: of a segment, as the consumer records it, and of a run, as both programs derive it.

A run's verdict is derived from those of its segments each time. It is never stored, because it would be wrong after a
segment was written again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from shared.record import RunRecord
from shared.segments import MAX_SEGMENT_VALUES, MAX_SEGMENTS
from shared.state import SegmentState
from shared.text import shortened
from shared.tokens import is_token
from shared.witness import Witness, witness_of

if TYPE_CHECKING:
    from shared.signal import Signal

VERIFIED = "verified"
FAILED = "failed"
SUPERSEDED = "superseded"
DEFAULT_RETAIN_MS = 7 * 24 * 60 * 60 * 1000  # verdicts are kept, where the run's record does not say


@dataclass(frozen=True, slots=True)
class SegmentVerdict:
    """What a consumer found out about one segment, under one attempt. Moments are the server's clock since 1970."""

    verdict: str  # `verified`, `failed` or `superseded`
    attempt: str
    segment: int
    segments: int  # of the run
    count: int  # values announced
    digest: str  # announced; when verified also that of the values read
    reason: str = ""  # why it failed or was superseded
    first: list[str] = field(
        default_factory=list
    )  # those of the run's first values in reverse that are in this segment
    last: str | None = None  # the oldest value, of segment 1 alone
    lag_ms: int = 0  # `taken_ms` minus the milliseconds of the signal's entry id
    started_us: int = 0  # first LRANGE sent; 0 when nothing was read
    ended_us: int = 0  # the verdict was known
    consumer: str = ""
    taken_ms: int = 0  # the signal was taken
    deliveries: int = 1  # of the signal, without those that a lost connection ended
    claimed_from: str = ""  # the consumer that the signal was claimed from
    outages: list[list[int]] = field(default_factory=list)  # [lost, back] in ms while it had the signal, the last 20
    witness: Witness | None = None  # what exactly is wrong; None where that is not known, or nothing is

    @property
    def said(self) -> tuple[int, int, str]:
        """What the signal said that this is a verdict on, beside its attempt."""
        return self.segments, self.count, self.digest

    def settles(self, signal: Signal) -> bool:
        """Tell whether a signal brings nothing new: this verdict is on it, or on a later attempt.

        A verdict on a signal of the same attempt that said something else doesn't count, whatever it is: one of the two
        was damaged on the way, and the list tells which.
        """
        said = (signal.segments, signal.count, signal.digest)
        return self.attempt > signal.attempt or (self.attempt == signal.attempt and self.said == said)

    def replaces(self, found: SegmentVerdict, state: SegmentState | None, record: RunRecord | None) -> bool:
        """Tell whether this verdict is to stand where another one of the run's segment stands.

        A later attempt's does, never an earlier one's. Of two on signals of the same attempt that said different things
        the one counts that said what record and state say; where these tell nothing, one that is verified.
        """
        if found.attempt != self.attempt:
            return found.attempt < self.attempt
        if found.said == self.said:
            return False
        if record is not None and record.contradicts(found.segment, segments=found.segments, count=found.count):
            return True
        mine, others = (self.count, self.digest), (found.count, found.digest)
        published = (state.count, state.digest) if state is not None and state.attempt == self.attempt else None
        if mine != others and published in (mine, others):
            return published == mine
        return self.verdict == VERIFIED and (mine != others or found.verdict != VERIFIED)

    def encode(self) -> str:
        """Return the JSON kept in the result hash."""
        return json.dumps(asdict(self), ensure_ascii=True, separators=(",", ":"))

    @classmethod
    def decode(cls, raw: bytes) -> SegmentVerdict | None:
        """Return the verdict that JSON spells, or None when it is not one of ours."""
        try:
            fields = json.loads(raw)
            return cls(**_cut(fields)) if isinstance(fields, dict) and _is_ours(fields) else None
        except (ValueError, TypeError, RecursionError):  # RecursionError: JSON nested a thousand deep
            return None


MAX_OUTAGES = 20
MAX_FIRST = 1_000
MAX_TEXT_BYTES = 1_000  # of a text that is no value; a shown value, all bytes escaped, is never longer
_BOUNDS = {"segment": (1, MAX_SEGMENTS), "segments": (1, MAX_SEGMENTS), "count": (1, MAX_SEGMENT_VALUES)} | {
    "deliveries": (0, 2**31),
    **dict.fromkeys(("lag_ms", "started_us", "ended_us", "taken_ms"), (0, 2**63)),
}
_DIGEST, _HALF_PAIR = re.compile("[0-9a-f]{32}"), re.compile("[\ud800-\udfff]")
_TEXTS = ("attempt", "digest", "reason", "consumer", "claimed_from")


def _is_ours(fields: dict[str, Any]) -> bool:
    """Tell whether JSON that somebody may have written could be a verdict of ours: types, forms and bounds."""
    first, last, outages = (fields.get(name) for name in ("first", "last", "outages"))
    return (
        fields.get("verdict") in (VERIFIED, FAILED, SUPERSEDED)
        and all(_is_number(fields.get(name), *bounds) for name, bounds in _BOUNDS.items())
        and fields["segment"] <= fields["segments"]
        and fields["started_us"] <= fields["ended_us"]
        and all(_is_text(fields.get(name)) for name in _TEXTS)
        and is_token(fields["attempt"])
        and _DIGEST.fullmatch(fields["digest"]) is not None
        and isinstance(first, list)
        and all(map(_is_text, first))
        and (last is None or _is_text(last))
        and isinstance(outages, list)
        and len(outages) <= MAX_OUTAGES
        and all(isinstance(pair, list) and len(pair) == 2 for pair in outages)
        and all(_is_number(moment, 0, 2**63) for pair in outages for moment in pair)
        and (fields.get("witness") is None or Witness.decode(fields["witness"], segment=fields["segment"]) is not None)
    )


def _cut(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with texts as long as we write them; verdicts of older versions hold whole values."""
    first, last = fields["first"], fields.get("last")
    values: dict[str, Any] = {"first": [_shown(value) for value in first[:MAX_FIRST]], "last": last and _shown(last)}
    values["witness"] = Witness.decode(fields.get("witness"), segment=fields["segment"])
    return fields | values | {name: shortened(fields[name], MAX_TEXT_BYTES) for name in _TEXTS}


def _shown(value: str) -> str:
    # what was cut already is longer by as much as says so
    return value if len(value.encode()) <= MAX_TEXT_BYTES else shortened(value)


def _is_number(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _is_text(value: object) -> bool:
    """Tell whether it is a text that can be encoded: JSON can spell half of a surrogate pair, which UTF-8 can't."""
    return isinstance(value, str) and (value.isascii() or not _HALF_PAIR.search(value))


def decode_result(fields: Mapping[bytes, bytes]) -> dict[int, SegmentVerdict]:
    """Return the verdicts of a result hash by segment, without fields that are not ours or name another segment."""
    decoded = ((name, SegmentVerdict.decode(raw)) for name, raw in fields.items())
    return {found.segment: found for name, found in decoded if found and name == str(found.segment).encode()}


def is_complete(verdicts: Mapping[int, SegmentVerdict]) -> bool:
    """Tell whether every segment of the run has its verdict, and all verdicts agree on how many segments there are."""
    return {verdict.segments for verdict in verdicts.values()} == {len(verdicts)}


def run_verdict(verdicts: Mapping[int, SegmentVerdict]) -> str:
    """Return the verdict of a complete run: failed if any segment's is, else superseded if any is, else verified."""
    found = {verdict.verdict for verdict in verdicts.values()}
    return next((verdict for verdict in (FAILED, SUPERSEDED) if verdict in found), VERIFIED)


def run_reason(verdicts: Mapping[int, SegmentVerdict]) -> str:
    """Return why a run failed or was superseded: the reason of the first segment with that verdict."""
    wanted = run_verdict(verdicts)
    reasons = (f"segment {n}: {v.reason}" for n, v in sorted(verdicts.items()) if v.verdict == wanted and v.reason)
    return next(reasons, "")


def run_witness(verdicts: Mapping[int, SegmentVerdict]) -> Witness | None:
    """Return what is wrong with the lowest segment that failed."""
    return witness_of({number: verdict.witness for number, verdict in verdicts.items() if verdict.verdict == FAILED})
