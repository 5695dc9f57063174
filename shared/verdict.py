"""Verdicts: of a segment, as the consumer records it, and of a run, as both programs derive it.

The run's verdict is derived each time from those of its segments, never stored: a stored one could contradict them
after a segment was written again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from shared.segments import MAX_SEGMENT_VALUES, MAX_SEGMENTS
from shared.tokens import is_token

VERIFIED = "verified"
FAILED = "failed"
SUPERSEDED = "superseded"


@dataclass(frozen=True)
class SegmentVerdict:
    """What a consumer found out about one segment, under one attempt.

    Attributes:
        verdict: `verified`, `failed` or `superseded`. reason: Why it failed or was superseded; empty when verified.
        count: Values announced. digest: Digest announced; when verified also that of the values read. segments: How
        many segments the run has. first: The first values in reverse, as text; only as many as the run's first values
        lie in this segment. last: The segment's oldest value, as text, of segment 1 alone. lag_ms: `taken_ms` minus the
        milliseconds of the signal's entry id. taken_ms: Server clock when the signal was taken, milliseconds since
        1970. started_us: Server clock at the first LRANGE, microseconds since 1970; 0 when nothing was read. ended_us:
        Server clock at the verdict. consumer: Name of the consumer that read it. deliveries: How often the signal was
        delivered, those left out that a lost connection ended. claimed_from: The consumer that the signal was claimed
        from; empty where it was not. outages: When the consumer lost the server while it had the signal, and had it
        back: pairs of milliseconds of the
            server's clock, the last twenty.
        witness: What exactly is wrong; None where that is not known, or nothing is.
    """

    verdict: str
    attempt: str
    segment: int
    segments: int
    count: int
    digest: str
    reason: str = ""
    first: list[str] = field(default_factory=list)
    last: str | None = None
    lag_ms: int = 0
    started_us: int = 0
    ended_us: int = 0
    consumer: str = ""
    taken_ms: int = 0
    deliveries: int = 1
    claimed_from: str = ""
    outages: list[list[int]] = field(default_factory=list)
    witness: dict[str, Any] | None = None

    def encode(self) -> str:
        """Return the JSON kept in the result hash."""
        return json.dumps(asdict(self), ensure_ascii=True, separators=(",", ":"))

    @classmethod
    def decode(cls, raw: bytes) -> SegmentVerdict | None:
        """Return the verdict that JSON spells, or None when it is not one of ours."""
        try:
            fields = json.loads(raw)
            return cls(**fields) if isinstance(fields, dict) and _is_ours(fields) else None
        except (ValueError, TypeError, RecursionError):  # RecursionError: JSON nested a thousand deep
            return None


_MOST = {
    "segment": MAX_SEGMENTS,
    "segments": MAX_SEGMENTS,
    "count": MAX_SEGMENT_VALUES,
    "lag_ms": 2**63,
    "started_us": 2**63,
    "ended_us": 2**63,
    "taken_ms": 2**63,
    "deliveries": 2**31,
}
_FROM_ONE = ("segment", "segments", "count")
_TEXTS = ("attempt", "digest", "reason", "consumer", "claimed_from")
MAX_OUTAGES = 20


def _is_ours(fields: dict[str, Any]) -> bool:
    """Tell whether JSON that somebody may have written could be a verdict of ours: types, forms and bounds."""
    first, last = fields.get("first"), fields.get("last")
    return (
        fields.get("verdict") in (VERIFIED, FAILED, SUPERSEDED)
        and all(_is_number(fields.get(name), int(name in _FROM_ONE), most) for name, most in _MOST.items())
        and fields["segment"] <= fields["segments"]
        and all(_is_text(fields.get(name)) for name in _TEXTS)
        and is_token(fields["attempt"])
        and re.fullmatch("[0-9a-f]{32}", fields["digest"]) is not None
        and isinstance(first, list)
        and all(_is_text(value) for value in first)
        and (last is None or _is_text(last))
        and _are_outages(fields.get("outages"))
        and (fields.get("witness") is None or isinstance(fields["witness"], dict))
    )


def _are_outages(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MAX_OUTAGES
        and all(isinstance(pair, list) and len(pair) == 2 for pair in value)
        and all(_is_number(moment, 0, 2**63) for pair in value for moment in pair)
    )


def _is_number(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _is_text(value: object) -> bool:
    """Tell whether it is a text that can be printed: JSON can spell half a character, which UTF-8 can't."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def decode_result(fields: Mapping[bytes, bytes]) -> dict[int, SegmentVerdict]:
    """Return the verdicts of a result hash by segment, without fields that are not ours or name another segment."""
    found = {}
    for name, raw in fields.items():
        verdict = SegmentVerdict.decode(raw)
        if verdict is not None and name == str(verdict.segment).encode():
            found[verdict.segment] = verdict
    return found


def is_complete(verdicts: Mapping[int, SegmentVerdict]) -> bool:
    """Tell whether every segment of the run has its verdict.

    Verdicts that disagree on how many segments there are make no run complete: one of them is somebody else's, and
    the result alone does not tell which.
    """
    return {verdict.segments for verdict in verdicts.values()} == {len(verdicts)}


def run_verdict(verdicts: Mapping[int, SegmentVerdict]) -> str:
    """Return the verdict of a complete run: failed if any segment's is, else superseded if any is, else verified."""
    found = {verdict.verdict for verdict in verdicts.values()}
    return next((verdict for verdict in (FAILED, SUPERSEDED) if verdict in found), VERIFIED)


def run_reason(verdicts: Mapping[int, SegmentVerdict]) -> str:
    """Return why a run failed or was superseded: the reason of the first segment with that verdict."""
    wanted = run_verdict(verdicts)
    for number in sorted(verdicts):
        if verdicts[number].verdict == wanted and verdicts[number].reason:
            return f"segment {number}: {verdicts[number].reason}"
    return ""
