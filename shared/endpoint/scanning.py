"""Looks through all keys for those of one type and name; also bounded in time, and then it says where it gave up.

The server matches and filters by type, so that only what is wanted travels; foreign keys cost their share of the
server's time alone. Ten thousand keys a round trip keep another client waiting for some milliseconds; 1,000 took ten
times as many round trips, which decides on a long link, and 50,000 was no faster.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodeClient

COUNT = 10_000


class Page(NamedTuple):
    """What one SCAN returned."""

    keys: list[bytes]
    is_last: bool


def pages(client: NodeClient, pattern: str, *, kind: str) -> Iterator[Page]:
    """Yield the keys of one server that are of a type and match a glob pattern; a key may come twice.

    Redis: SCAN MATCH COUNT 10000 TYPE until the cursor is 0; O(keys in the database).
    """
    page, cursor = Page([], is_last=False), 0
    while not page.is_last:
        reply = client.scan(cursor, match=pattern, count=COUNT, _type=kind)
        cursor, keys = cast("tuple[int, list[bytes]]", reply)
        page = Page(keys, is_last=cursor == 0)
        yield page


@dataclass
class TimedScan:
    """What a scan found, and where it gave up.

    Attributes:
        found: The keys, newest first by name; at most `most` of them, the last ones by name.
        unfinished: Servers that were not looked through to their end.
    """

    most: int
    found: list[bytes] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)

    def run(self, endpoint: Endpoint, pattern: str, *, kind: str, limit_s: float) -> None:
        """Look for keys of a type at every primary; each gets an equal share of the time that is left.

        Redis: see `pages`.
        """
        primaries, give_up_at = endpoint.primaries(), time.monotonic() + limit_s
        for number, client in enumerate(primaries):
            share_s = (give_up_at - time.monotonic()) / (len(primaries) - number)
            ours_ends_at = time.monotonic() + share_s
            for page in pages(client, pattern, kind=kind):
                self.found = sorted({*self.found, *page.keys}, reverse=True)[: self.most]
                if not page.is_last and time.monotonic() >= ours_ends_at:
                    self.unfinished.append(client.where)
                    break
