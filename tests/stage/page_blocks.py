"""The fenced blocks of a page of documentation: what is run where, and what it prints.

A block's first line says what it is: `sh HOST [PASSWORD]...` is run on that host, where the passwords are typed,
`sh HOST background` is left running there, `conf HOST` is that host's server configuration, `text` is what the block
before printed, and `text background` what the one in the background has printed when it ends. Others are for people.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARYING = (
    (re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{6}"), "RUN"),
    (re.compile(r"redis \d+\.\d+\.\d+"), "redis VERSION"),
    (re.compile(r"[\d.,]+ (ms|s|values/s)\b"), r"N \1"),
    (re.compile(r"[\d.,]+ (bytes|[KMG]iB)\b"), "N BYTES"),
    (re.compile(r"percentile of \d+"), "percentile of N"),
)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        kind: `sh`, `conf` or `text`.
        words: What stands behind that, such as the host.
        content: The lines between the fences.
    """

    kind: str
    words: tuple[str, ...]
    content: str


def read_blocks(page: Path) -> list[Block]:
    """Return the blocks of a page, in order."""
    return [
        Block(kind, tuple(words.split()), content) for kind, words, content in _BLOCK.findall(page.read_text("utf-8"))
    ]


def without_varying_parts(text: str) -> str:
    """Return a program's output with what differs from run to run replaced: run ids, versions, durations, sizes."""
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return text
