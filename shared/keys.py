"""Every Redis key of this product, one function a key; no other file spells a key.

The functions are methods of `Keyspace`, which holds the namespace: functions with a namespace argument were rejected,
because a forgotten argument would write outside the namespace.

Braces are hash tags, which put what must change together into one slot: a segment with its state and staging keys, the
stream with its results and dead letters. Segments spread over a cluster.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

ID_PATTERN = r"[A-Za-z0-9_-]{1,64}"
TOKEN_PATTERN = r"[0-9]{8}T[0-9]{9}Z-[0-9a-f]{6}"  # noqa: S105 - run ids and attempts, no secret
RESERVED_NAMESPACES = ("user", "sku", "cart", "run", "biglist", "signals", "canary")
_SEGMENT_PATTERN = r"biglist(?::(?:[2-9]|[1-9][0-9]+))?"


@dataclass(frozen=True)
class Keyspace:
    """The keys under one namespace; an empty namespace adds no prefix."""

    namespace: str = ""

    @property
    def prefix(self) -> str:
        """The namespace and its colon, or nothing."""
        return f"{self.namespace}:" if self.namespace else ""

    def user(self, user_id: str) -> str:
        """HASH. First and last name of a user. A writes, both read. Until removed."""
        return f"{self.prefix}user:{user_id}"

    def sku(self, sku_id: str) -> str:
        """HASH. Name and price of a SKU. A writes, both read. Until removed."""
        return f"{self.prefix}sku:{sku_id}"

    def cart(self, user_id: str) -> str:
        """HASH. SKU id to quantity, of one user. A writes, both read. Until its last line is removed."""
        return f"{self.prefix}cart:{user_id}"

    def segment(self, number: int) -> str:
        """LIST. The values of a published segment, newest at the head. A writes, B reads. Until replaced.

        Segment 1 of every run is called `biglist`, so its state alone tells which run published last.
        """
        return f"{self.prefix}biglist" if number == 1 else f"{self.prefix}biglist:{number}"

    def state(self, segment_key: str) -> str:
        """HASH. run_id, attempt, count, digest, blocks of the segment published. A writes, both read. Till replaced."""
        return f"{{{segment_key}}}:state"

    def segment_of_state(self, state_key: str) -> str:
        """Return the name of the segment that a state key belongs to."""
        return state_key.removesuffix(":state")[1:-1]

    def staging(self, segment_key: str, attempt: str) -> str:
        """LIST. A segment being written under one attempt token. A alone. An hour, renewed while it is written."""
        return f"{{{segment_key}}}:staging:{attempt}"

    def run(self, run_id: str) -> str:
        """HASH. What a run is to write and how far it is. A writes, both read. The retention."""
        return f"{self.prefix}run:{run_id}"

    def signals(self) -> str:
        """STREAM. One entry for each published segment. A writes, B reads. Trimmed to the retention."""
        return f"{self.prefix}signals"

    def result(self, run_id: str) -> str:
        """HASH. Segment number to verdict as JSON. B writes, both read. The retention."""
        return f"{{{self.signals()}}}:result:{run_id}"

    def dead_letters(self) -> str:
        """STREAM. Entries that could not be processed, with the reason. B alone. About 10,000 entries."""
        return f"{{{self.signals()}}}:dead"

    def consumer(self, name: str) -> str:
        """STRING. The token of the process that uses a name of `--consumer`, or `ended`. B alone. 5 seconds."""
        return f"{{{self.signals()}}}:consumer:{name}"

    def reading(self) -> str:
        """HASH. Consumer to the segment that it reads and how far. B writes, the page reads. A minute, renewed."""
        return f"{{{self.signals()}}}:reading"

    def canary(self, token: str) -> str:
        """HASH. Field `sent`, a probe of `server-a check --peer-url`. A alone, also at the peer. At most a minute."""
        return f"{self.prefix}canary:{token}"

    def beginnings(self) -> list[str]:
        """Return what the names of lists, states, runs, results, readings and probe keys begin with."""
        plain = (self.segment(1), self.run(""), self.canary(""))
        return [*plain, f"{{{self.segment(1)}", self.result(""), self.reading()]

    def kind_of(self, key: str) -> str | None:
        """Return what a key is: the name of the method that builds it, or None for a key that is not ours.

        The whole key has to match: neither `user:1:profile` nor another namespace's `shop1:user:1` is ours.
        """
        found = _pattern_of_all(self.prefix).fullmatch(key)
        return found.lastgroup if found is not None else None


@cache
def _pattern_of_all(prefix: str) -> re.Pattern[str]:
    """Return one pattern for all kinds of keys, each a group: a purge asks for millions of names."""
    kinds = (f"(?P<{kind}>{pattern})" for kind, pattern in _KEY_PATTERNS.items())
    return re.compile("|".join(kinds).replace("<prefix>", re.escape(prefix)))


_KEY_PATTERNS = {
    "user": rf"<prefix>user:{ID_PATTERN}",
    "sku": rf"<prefix>sku:{ID_PATTERN}",
    "cart": rf"<prefix>cart:{ID_PATTERN}",
    "segment": rf"<prefix>{_SEGMENT_PATTERN}",
    "state": rf"\{{<prefix>{_SEGMENT_PATTERN}\}}:state",
    "staging": rf"\{{<prefix>{_SEGMENT_PATTERN}\}}:staging:{TOKEN_PATTERN}",
    "run": rf"<prefix>run:{TOKEN_PATTERN}",
    "result": rf"\{{<prefix>signals\}}:result:{TOKEN_PATTERN}",
    "signals": r"<prefix>signals",
    "dead_letters": r"\{<prefix>signals\}:dead",
    "consumer": r"\{<prefix>signals\}:consumer:.+",
    "reading": r"\{<prefix>signals\}:reading",
    "canary": rf"<prefix>canary:{TOKEN_PATTERN}",
}
