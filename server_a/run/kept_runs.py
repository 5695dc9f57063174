"""Which runs `--every` keeps: the newest thousand; their records and signals would fill a server in a week.

Only records of runs that `--every` has begun are removed. Results stay until their retention ends: server-a has no
permission to write them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from server_a.run.settings import is_of_every
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.published import signals_in
from shared.endpoint.stream_pages import stream_pages
from shared.endpoint.together import Together, ask_each
from shared.fields import SCHEMA_VERSION
from shared.keys import Keyspace
from shared.tokens import token_ms

MAX_RUNS = 1_000
_PAGE = 1_000


@dataclass
class KeptRuns:
    """The runs whose signals are in the stream, oldest first; more than `most` are removed."""

    keys: Keyspace
    most: int = MAX_RUNS
    run_ids: list[str] = field(init=False, default_factory=list)
    has_looked: bool = field(init=False, default=False)

    @property
    def oldest_ms(self) -> int:
        """When the oldest run that is kept began, by the server's clock; 0 where every run is kept."""
        kept = self.run_ids[-self.most :]
        return token_ms(kept[0]) if len(self.run_ids) >= self.most and kept else 0

    def look(self, endpoint: Endpoint) -> None:
        """Find the runs that there are, once. Redis: TIME; XRANGE COUNT 1000 until the end; O(signals)."""
        if self.has_looked:
            return
        stream, found = self.keys.signals(), set[str]()
        server_ms = endpoint.server_us(stream) // 1_000

        def read(start: str) -> list[Any]:
            return cast("list[Any]", endpoint.at(stream).xrange(stream, start, count=_PAGE))

        for page in stream_pages(read, start="-", count=_PAGE, where=endpoint.name):
            found.update(signal.run_id for signal in signals_in(page, server_ms=server_ms))
        self.run_ids, self.has_looked = sorted(found), True

    def add(self, endpoint: Endpoint, run_id: str) -> None:
        """Count a finished run, and remove the records of those that are too many; it bears repetition.

        Redis: HMGET and PEXPIRE for each of them, in two round trips.
        """
        if self.run_ids[-1:] != [run_id]:
            self.run_ids.append(run_id)
        surplus = self.run_ids[: -self.most]
        if not surplus:
            return
        records = ask_each(
            endpoint,
            map(self.keys.run, surplus),
            lambda pipeline, key: pipeline.hmget(key, "schema_version", "command"),
            skip_wrong_type=True,
        )
        asked, wanted = Together(endpoint), 0
        for key, (version, command) in records:
            if version == b"%d" % SCHEMA_VERSION and is_of_every((command or b"").decode("utf-8", "replace")):
                asked.at(key).pexpire(key, 1)
                wanted += 1
        if wanted:
            asked.send()
        del self.run_ids[: len(surplus)]
