"""Verdicts: of a segment, as the consumer records it, and of a run, as both programs derive it.

The run's verdict is derived each time from those of its segments, never stored: a stored one could contradict them
after a segment was written again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

VERIFIED = "verified"
FAILED = "failed"
SUPERSEDED = "superseded"


@dataclass(frozen=True)
class SegmentVerdict:
    """What a consumer found out about one segment, under one attempt.

    Attributes:
        verdict: `verified`, `failed` or `superseded`.
        reason: Why it failed or was superseded; empty when verified.
        count: Values announced.
        digest: Digest announced; when verified also that of the values read.
        segments: How many segments the run has.
        first: The first values in reverse, as text; only as many as the run's first values lie in this segment.
        last: The segment's oldest value, as text, of segment 1 alone.
        lag_ms: Server clock when the signal was taken minus the milliseconds of its entry id.
        started_us: Server clock at the first LRANGE, microseconds since 1970; 0 when nothing was read.
        ended_us: Server clock at the verdict.
        consumer: Name of the consumer that read it.
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

    def encode(self) -> str:
        """Return the JSON kept in the result hash."""
        return json.dumps(asdict(self), ensure_ascii=True, separators=(",", ":"))

    @classmethod
    def decode(cls, raw: bytes) -> SegmentVerdict | None:
        """Return the verdict that JSON spells, or None when it is not one of ours."""
        try:
            fields = json.loads(raw)
            return cls(**fields) if isinstance(fields, dict) and _has_our_types(fields) else None
        except (ValueError, TypeError):
            return None


_NUMBERS = ("segment", "segments", "count", "lag_ms", "started_us", "ended_us")
_TEXTS = ("attempt", "digest", "reason", "consumer")


def _has_our_types(fields: dict[str, Any]) -> bool:
    """Tell whether JSON that somebody may have written has the types of a verdict's fields."""
    first, last = fields.get("first"), fields.get("last")
    return (
        fields.get("verdict") in (VERIFIED, FAILED, SUPERSEDED)
        and all(type(fields.get(name)) is int for name in _NUMBERS)
        and all(isinstance(fields.get(name), str) for name in _TEXTS)
        and isinstance(first, list)
        and all(isinstance(value, str) for value in first)
        and (last is None or isinstance(last, str))
    )


def decode_result(fields: Mapping[bytes, bytes]) -> dict[int, SegmentVerdict]:
    """Return the verdicts of a result hash by segment; a field that is not ours is left out."""
    verdicts = (SegmentVerdict.decode(raw) for raw in fields.values())
    return {verdict.segment: verdict for verdict in verdicts if verdict is not None}


def is_complete(verdicts: Mapping[int, SegmentVerdict]) -> bool:
    """Tell whether every segment of the run has its verdict."""
    return bool(verdicts) and len(verdicts) == max(verdict.segments for verdict in verdicts.values())


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
