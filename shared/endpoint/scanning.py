"""A look through all keys that is bounded in time and says whether it came to its end.

The server matches and filters by type, so that only what is wanted travels; foreign keys cost their share of the
server's time alone. Ten thousand keys a round trip keep another client waiting for some milliseconds; 1,000 took ten
times as many round trips, which decides on a long link, and 50,000 was no faster.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import cast

from shared.endpoint.endpoint import Endpoint

COUNT = 10_000


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

        Redis: SCAN MATCH COUNT 10000 TYPE; O(keys in the database).
        """
        primaries, give_up_at = endpoint.primaries(), time.monotonic() + limit_s
        for number, client in enumerate(primaries):
            share_s = (give_up_at - time.monotonic()) / (len(primaries) - number)
            ours_ends_at, cursor = time.monotonic() + share_s, 0
            while True:
                reply = client.scan(cursor, match=pattern, count=COUNT, _type=kind)
                cursor, keys = cast("tuple[int, list[bytes]]", reply)
                self.found = sorted({*self.found, *keys}, reverse=True)[: self.most]
                if cursor == 0:
                    break
                if time.monotonic() >= ours_ends_at:
                    self.unfinished.append(client.where)
                    break
