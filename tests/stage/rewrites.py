"""Texts of requests that a link replaces on their way, also when they come in pieces.

What may be the beginning of such a text is kept back until the rest has come. To look at whole requests was rejected:
it takes a parser, and these texts are as clear without.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.stage.relay import Pair


@dataclass(eq=False)
class _Rewrite:
    text: bytes
    replacement: bytes
    nth: int


class Rewrites:
    """What is still to be replaced, each once, counted over all connections."""

    def __init__(self) -> None:
        """Start with none."""
        self._rewrites: list[_Rewrite] = []

    def add(self, text: bytes, replacement: bytes, nth: int) -> None:
        """Replace the nth occurrence from now on of a text."""
        self._rewrites.append(_Rewrite(text, replacement, nth))

    def apply(self, pair: Pair, data: bytes) -> bytes:
        """Return what is to go on now of what has come on a connection."""
        counted = len(pair.kept_back)
        data = pair.kept_back + data
        for rewrite in list(self._rewrites):
            start = data.find(rewrite.text, max(0, counted - len(rewrite.text) + 1))
            while start >= 0:
                end = start + len(rewrite.text)
                rewrite.nth -= 1
                if rewrite.nth == 0:
                    data = data[:start] + rewrite.replacement + data[end:]
                    self._rewrites.remove(rewrite)
                    break
                start = data.find(rewrite.text, end)
        going = len(data) - self._beginning_bytes(data)
        pair.kept_back = data[going:]
        return data[:going]

    def take_unused(self) -> list[str]:
        """Return what was never replaced, once."""
        unused = [f"rewrite of {rewrite.text!r}" for rewrite in self._rewrites]
        self._rewrites.clear()
        return unused

    def _beginning_bytes(self, data: bytes) -> int:
        """Return how many bytes at the end may be the beginning of a text."""
        beginnings = (rewrite.text[:size] for rewrite in self._rewrites for size in range(1, len(rewrite.text)))
        return max((len(beginning) for beginning in beginnings if data.endswith(beginning)), default=0)
