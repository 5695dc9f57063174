"""The contests over links that delay: writing, reading, the shop, whole processes, and a slow link."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path

from bench import programs
from bench.account import accounted
from bench.contest import Contest
from bench.links.facts import LinkFacts
from bench.links.link import Link
from bench.links.pipe import pipe_s, write_input
from bench.links.sizes import Cut, user_requests
from bench.product import Product
from bench.raw import RawSocket
from demo.servers import Server

SLOW_BYTES_PER_S = 250_000
SLOW_DELAY_MS = 60.0
FEW = 10_000
_WRITE_TARGETS = {1: 1.3, 4: 1.6}
_READ_TARGETS = {1: 1.4, 4: 1.4}
_CUTS = (1, 4, 40)  # into how many segments
_USERS_TARGET = 2.0
_PROCESS_TARGET_S = 1.9
_SLOW_TARGET = 1.2
_DRAIN_AHEAD_BYTES = 2_000_000
_PIPE = "redis-cli --pipe"
_DRAIN = "raw socket, 2 MB asked for ahead"


class Far:
    """One server and the links to it.

    Attributes:
        version: Which server it is, such as `Valkey 9.1.2`.
    """

    def __init__(self, server: Server, directory: Path, facts: LinkFacts, *, count: int) -> None:
        """Make what the baselines send.

        Args:
            server: Running, ours alone: it is emptied before each writing.
            directory: For the input of `redis-cli --pipe`.
            facts: Where to note what is seen.
            count: Numbers in the list.
        """
        self._server = server
        self._directory = directory
        self._facts = facts
        self._raw = RawSocket(server.port)
        self.version = self._raw.version()
        self._cuts = {cut: self._input(f"numbers-{cut.segments}", cut) for cut in (Cut(count, each) for each in _CUTS)}
        self._reads = {cut: cut.reads() for cut in self._cuts}

    def _input(self, name: str, cut: Cut) -> Path:
        return write_input(self._directory / name, cut.pushes())

    def contests_of(self, link: Link) -> list[Contest]:
        """Return the contests of one link: writing and reading; targets are for those that delay."""
        contests = []
        for cut, path in self._cuts.items():
            what = f"{cut.count:,} values, {cut.segments} segment{'s' * (cut.segments > 1)}"
            write_target = _WRITE_TARGETS.get(cut.segments) if link.delay_ms else None
            read_target = _READ_TARGETS.get(cut.segments) if link.delay_ms else None
            write, pipe = partial(self._write, link, cut), partial(self._pipe, link, path)
            read, drain = partial(programs.read_s, link.url), partial(self._drain, link, cut)
            contests += [
                Contest(f"write {what}", "server-a run", _PIPE, write, pipe, write_target),
                Contest(f"read and verify {what}", "server-b run", _DRAIN, read, drain, read_target),
            ]
        return contests

    def shop_contests(self, link: Link, users: int) -> list[Contest]:
        """Return the contest of the shop."""
        path = write_input(self._directory / f"users-{users}", user_requests(users))
        run, pipe = partial(self._users, link.url, users), partial(self._pipe, link, path)
        return [Contest(f"write {users:,} users", "server-a's path", _PIPE, run, pipe, _USERS_TARGET)]

    def process_contests(self, link: Link) -> list[Contest]:
        """Return how long the two programs take as a whole for a small run, B after A has ended."""
        a, b = partial(self._process_a, link), partial(self._process_b, link)
        job = f"{FEW:,} values, the whole process"
        return [
            Contest(job, "server-a run", "", a, _nothing, _PROCESS_TARGET_S, "seconds"),
            Contest(job, "server-b run", "", b, _nothing, _PROCESS_TARGET_S, "seconds"),
        ]

    def slow_contests(self, link: Link, count: int) -> list[Contest]:
        """Return the contest of a link that carries little: the bytes themselves take so long."""
        cut = Cut(count, 1)
        bytes_s = sum(len(push.commands) for push in cut.pushes()) / link.bytes_per_s
        run = partial(self._slow_write, link, cut)
        return [
            Contest(f"write {count:,} values", "server-a run", "bytes / rate", run, lambda: bytes_s, _SLOW_TARGET),
        ]

    def _write(self, link: Link, cut: Cut) -> float:
        self._raw.empty_server()
        return programs.write_s(link.url, cut.count, segment_values=cut.segment_values)

    def _slow_write(self, link: Link, cut: Cut) -> float:
        self._raw.empty_server()
        options = ("--count", str(cut.count), "--segment-values", str(cut.segment_values))
        report = programs.reported("server-a", "run", "--url", link.url, *options, "--json")
        self._facts.note_slow(report)
        return float(report["write_s"])

    def _pipe(self, link: Link, path: Path) -> float:
        self._raw.empty_server()
        return pipe_s(link.port, path)

    def _drain(self, link: Link, cut: Cut) -> float:
        """Write what is to be read, without the link, and drain it through the link."""
        self._raw.empty_server()
        programs.write_s(self._server.url, cut.count, segment_values=cut.segment_values)
        reads = self._reads[cut]
        in_flight = max(1, _DRAIN_AHEAD_BYTES // max(read.reply_bytes for read in reads))
        with closing(RawSocket(link.port)) as raw:
            return raw.exchange(reads, in_flight=in_flight)

    def _users(self, url: str, users: int) -> float:
        """Write users with connections of this round alone: what was learnt of the link would be kept with them."""
        self._raw.empty_server()
        with closing(Product(url)) as product:
            return product.write_users(users)

    def _process_a(self, link: Link) -> float:
        self._raw.empty_server()
        return accounted("server-a", "run", "--url", link.url, "--count", str(FEW), "--json").wall_s

    def _process_b(self, link: Link) -> float:
        return accounted("server-b", "run", "--url", link.url, "--once", "--wait-s", "60", "--json").wall_s

    def close(self) -> None:
        """Close the connections."""
        self._raw.close()


def _nothing() -> float:
    """Stand for a baseline where none is."""
    return 0.0
