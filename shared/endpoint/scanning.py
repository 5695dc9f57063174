"""Looks through all keys for those of one type and name; also bounded in time, and then it says where it gave up.

The server matches and filters by type, so that only what is wanted travels; foreign keys cost their share of the
server's time alone. Ten thousand keys a round trip keep another client waiting for some milliseconds; 1,000 took ten
times as many round trips, which decides on a long link, and 50,000 was no faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodeClient, NodePipeline
from shared.errors import WrongEndpointError

COUNT = 10_000
HASH_COUNT = 1_000  # fields travel with what they hold
PAGE_BYTES = 4 * 1024 * 1024
MAX_PAGES = 1_000_000  # twice what a database of 2^32 keys takes


class Sought(NamedTuple):
    """What a scan looks for: names that match a glob pattern, of keys of one type or, where that is empty, of any."""

    pattern: str
    kind: str = ""


class Page(NamedTuple):
    """What one round trip returned."""

    keys: list[bytes]
    is_last: bool


def pages(client: NodeClient, *sought: Sought) -> Iterator[Page]:
    """Yield the keys of one server that are sought; a key may come twice.

    Redis: SCAN MATCH COUNT 10000 TYPE until the cursor is 0, for all that is sought in one round trip; O(keys in the
    database) for each.
    """
    cursors = dict.fromkeys(sought, 0)
    for _ in range(MAX_PAGES):
        pipeline = client.pipeline(transaction=False)
        for (pattern, kind), cursor in cursors.items():
            pipeline.scan(cursor, match=pattern, count=COUNT, _type=kind or None)
        replies = cast("list[tuple[int, list[bytes]]]", pipeline.execute())
        found = [key for _, keys in replies for key in keys]
        asked = cursors
        cursors = {each: cursor for each, (cursor, _) in zip(asked, replies, strict=True) if cursor}
        yield Page(found, is_last=not cursors)
        if not cursors:
            return
        if any(cursor == asked[each] for each, cursor in cursors.items()):
            break
    raise _endless(client, "SCAN")


def hash_pages(client: NodeClient | NodePipeline, key: str, *, cursor: int = 0) -> Iterator[dict[bytes, bytes]]:
    """Yield the fields of a hash by pages, from a cursor on; a field may come twice. A pipeline is one that watches.

    Redis: HSCAN COUNT 1000 until the cursor is 0; O(fields).
    """
    for _ in range(MAX_PAGES):
        asked = cursor
        cursor, fields = cast("tuple[int, dict[bytes, bytes]]", ask_page(client, key, cursor=cursor))
        yield fields
        if not cursor:
            return
        if cursor == asked:
            break
    raise _endless(client, "HSCAN")


def ask_page(client: NodeClient | NodePipeline, key: str, *, cursor: int = 0, count: int = HASH_COUNT) -> object:
    """Ask for some fields of a hash, of 4 MiB at most: a line of our carts has 100 bytes. Redis: HSCAN; O(count)."""
    return client.execute_command("HSCAN", key, cursor, "COUNT", count, most_bytes=PAGE_BYTES)


def _endless(client: NodeClient | NodePipeline, command: str) -> WrongEndpointError:
    expected, got = f"a {command} that goes on and ends", "one without end"
    return WrongEndpointError(where=client.where, expected=expected, got=got, advice="check what answers there")


def scan(endpoint: Endpoint, *sought: Sought, passed: Callable[[int], None]) -> Iterator[str]:
    """Yield the names of the keys that are sought at every primary; a key may come twice.

    `passed` is called after each round trip with the number of keys that it passed over. Redis: see `pages`.
    """
    for client in endpoint.primaries():
        for page in pages(client, *sought):
            passed(COUNT)
            yield from (key.decode("utf-8", "surrogateescape") for key in page.keys)


def names_with(beginnings: Sequence[str]) -> str:
    """Return one glob pattern that matches all names with one of these beginnings, and few others.

    One scan for them all costs the server as much as one for a single one of them. Redis knows no alternatives in a
    pattern, so each character is one of those that the beginnings have in its place, as far as the shortest goes.
    """
    places = [sorted(set(characters)) for characters in zip(*beginnings, strict=False)]
    return "".join(f"[{''.join(map(_escaped, place))}]" for place in places) + "*"


def _escaped(character: str) -> str:
    return character if character.isalnum() else f"\\{character}"


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
            for page in pages(client, Sought(pattern, kind)):
                self.found = sorted({*self.found, *page.keys}, reverse=True)[: self.most]
                if not page.is_last and time.monotonic() >= ours_ends_at:
                    self.unfinished.append(client.where)
                    break
