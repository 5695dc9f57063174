"""Lines of text and the shop on loopback, without the proxy, beside `redis-cli --pipe`."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path

from bench import programs
from bench.account import accounted
from bench.contest import Contest
from bench.links.pipe import line_requests, pipe_s, write_input
from bench.links.sizes import Cut, sample_lines, user_requests
from bench.product import KEYS, Product
from bench.raw import RawSocket
from demo.servers import Server

_LINES_TARGET = 1.3
_USERS_TARGET = 1.6
_PIPE = "redis-cli --pipe"
_DEFAULT_SEGMENT_VALUES = 1_000_000


class Near:
    """One server on loopback."""

    def __init__(self, server: Server, directory: Path) -> None:
        """Connect; the files that are sent are kept in the directory."""
        self._server = server
        self._directory = directory
        self._raw = RawSocket(server.port)

    def lines_contests(self, count: int) -> list[Contest]:
        """Return the contests of lines: their writing, and all that the run needs for them, such as the scan before."""
        lines = list(sample_lines(count))
        file, first = self._directory / "lines.txt", self._directory / "line.txt"
        file.write_bytes(b"\n".join([*lines, b""]))
        first.write_bytes(lines[0] + b"\n")
        ranges = Cut(count, -(-count // _DEFAULT_SEGMENT_VALUES)).ranges()
        path = write_input(
            self._directory / "lines",
            (
                push
                for r in ranges
                for push in line_requests(KEYS.segment(r.number), lines[r.first : r.first + r.count])
            ),
        )
        pipe = partial(self._pipe, path)
        write, whole = partial(self._write, file), partial(self._whole, file, first)
        job = f"write {count:,} lines"
        return [
            Contest(job, "server-a run, write_s", _PIPE, write, pipe, _LINES_TARGET),
            Contest(job, "server-a run, beyond one line's", _PIPE, whole, pipe, _LINES_TARGET),
        ]

    def shop_contests(self, users: int) -> list[Contest]:
        """Return the contest of the shop."""
        path = write_input(self._directory / "users", user_requests(users))
        run = partial(self._users, users)
        return [
            Contest(f"write {users:,} users", "server-a's path", _PIPE, run, partial(self._pipe, path), _USERS_TARGET)
        ]

    def _pipe(self, path: Path) -> float:
        self._raw.empty_server()
        return pipe_s(self._server.port, path)

    def _write(self, file: Path) -> float:
        self._raw.empty_server()
        return float(programs.reported("server-a", *self._run_of(file))["write_s"])

    def _whole(self, file: Path, first: Path) -> float:
        """Return by how much a run of all lines takes longer than a run of one."""
        self._raw.empty_server()
        start_s = accounted("server-a", *self._run_of(first)).wall_s
        self._raw.empty_server()
        return accounted("server-a", *self._run_of(file)).wall_s - start_s

    def _run_of(self, file: Path) -> tuple[str, ...]:
        return ("run", "--url", self._server.url, "--values", str(file), "--json")

    def _users(self, users: int) -> float:
        self._raw.empty_server()
        with closing(Product(self._server.url)) as product:
            return product.write_users(users)

    def close(self) -> None:
        """Close the connection."""
        self._raw.close()
