"""The witness of a failed verdict: what exactly is wrong with a segment's list. Pure.

It is made once, by the consumer that found the list wrong, and kept with the verdict: the list may be written again
before anybody asks. What is not known is None, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from shared.text import quoted_text

KIND_CHANGED = "changed"  # as long as it should be, with other values
KIND_ORDER = "order"  # the right values, each once, in another order
KIND_SHORT = "short"
KIND_LONG = "long"
KIND_FOREIGN = "foreign"  # it has values, and none of them is expected here
KIND_NEVER_ARRIVED = "never_arrived"
KIND_KEPT_CHANGING = "kept_changing"
KINDS = (KIND_CHANGED, KIND_ORDER, KIND_SHORT, KIND_LONG, KIND_FOREIGN, KIND_NEVER_ARRIVED, KIND_KEPT_CHANGING)

MAX_NUMBER = 2**53
MAX_VALUE_TEXT_BYTES = 1_000  # of a shown value: 200 bytes, all of them escaped, and how many there are


@dataclass(frozen=True)
class Witness:
    """What is wrong with one segment; its fields are those of `witness` in `--json`, in this order."""

    kind: str
    segment: int
    position: int | None = None  # the first that is wrong, from 1 in the run's order of insertion; None for lines
    expected: str | None = None  # the value there, cut at 200 bytes; None where none is expected
    found: str | None = None  # likewise; None where the list has ended
    missing: int | None = None  # values expected here that are not in the list
    doubled: int | None = None  # values expected here that are in it again
    foreign: int | None = None  # values not expected here
    out_of_order: int | None = None  # expected values, each counted once, not at their rank among those present
    block: int | None = None  # the first block of 1,000 values that differs, from 1 in the segment
    blocks: int | None = None  # how many differ

    @classmethod
    def decode(cls, raw: Any, *, segment: int) -> Witness | None:  # noqa: ANN401 - decoded JSON
        """Return the witness that JSON spells, which anybody may have written, or None when it is none of ours."""
        names = {each.name for each in fields(cls)}
        if not isinstance(raw, dict) or set(raw) != names or raw["kind"] not in KINDS or raw["segment"] != segment:
            return None
        texts = (raw["expected"], raw["found"])
        numbers = [raw[name] for name in ("position", *_COUNTS)]
        is_ours = all(text is None or _is_text(text) for text in texts) and all(map(_is_number, numbers))
        return cls(**raw) if is_ours and type(raw["segment"]) is int else None

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return asdict(self)

    def as_text(self) -> str:
        """Return a sentence for a terminal, without the full stop."""
        parts = [f"segment {self.segment:,}: {self.kind.replace('_', ' ')}"]
        if self.position is not None:
            ends = (f"{_quoted(self.expected)} expected", f"{_quoted(self.found)} found")
            parts.append(f"position {self.position:,} is the first that is wrong, {', '.join(ends)}")
        if counted := [f"{count:,} {word}" for word, count in self._counted() if count]:
            parts.append(", ".join(counted))
        if self.block is not None and self.blocks is not None:
            verb = "differs" if self.blocks == 1 else "differ"
            parts.append(f"{self.blocks:,} of its blocks of 1,000 values {verb}, the first is {self.block:,}")
        return "; ".join(parts)

    def _counted(self) -> list[tuple[str, int | None]]:
        return [(name.replace("_", " "), getattr(self, name)) for name in _WRONG]


_WRONG = ("missing", "doubled", "foreign", "out_of_order")
_COUNTS = (*_WRONG, "block", "blocks")


def _quoted(text: str | None) -> str:
    return quoted_text(text) if text is not None else "none"


def _is_number(value: object) -> bool:
    return value is None or (type(value) is int and 0 <= value <= MAX_NUMBER)


def _is_text(value: object) -> bool:
    is_text = isinstance(value, str) and not re.search("[\ud800-\udfff]", value)
    return is_text and len(str(value).encode()) <= MAX_VALUE_TEXT_BYTES


def witness_of(found: Mapping[int, Witness | None]) -> Witness | None:
    """Return the witness of a run, given those of its failed segments: of the lowest one."""
    return found[min(found)] if found else None
