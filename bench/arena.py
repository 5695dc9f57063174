"""One server and everybody who competes on it; what is encoded beforehand is encoded here, before any clock starts."""

from __future__ import annotations

from functools import partial

from bench import peers, programs
from bench.contest import Contest
from bench.product import KEYS, Product, segment_keys
from bench.raw import RawSocket, hash_requests, push_requests, read_requests
from bench.texts import Lines
from demo.servers import Server
from server_a.shop.sample import sample_name
from shared.shop.records import User

WRITE_TARGET = 1.05
READ_TARGET = 1.25
LINES_TARGET = 1.3
HELP_TARGET_MS = 150.0
_WRITE_IN_FLIGHT = 4
_READ_IN_FLIGHT = (2, 4, 8, 16, 32)
_DIGESTED_IN_FLIGHT = 8
_USERS_IN_FLIGHT = 2
_SLOW_COUNT = 200_000
_MAX_LINES = 5_000_000
_RAW_WRITE = "raw socket, all encoded before"
_RAW_READ = "raw socket, replies drained"


class Arena:
    """The contests on one server.

    Attributes:
        version: Which server it is, such as `Valkey 9.1.2`.
    """

    def __init__(self, server: Server, *, count: int, users: int) -> None:
        """Connect and encode.

        Args:
            server: Running, ours alone: it is emptied before each writing.
            count: Numbers in the list.
            users: Users in the shop.
        """
        self._server = server
        self._count = count
        self._users = users
        self._raw = RawSocket(server.port)
        self._product = Product(server.url)
        self._peer = peers.RedisPy(server.url)
        self.version = self._product.version
        lists = segment_keys(count).items()
        self._keys = list(segment_keys(count))
        self._pushes = [request for key, (first, end) in lists for request in push_requests(key, first, end)]
        self._slow_count = min(count, _SLOW_COUNT)
        self._slow_pushes = push_requests(peers.KEY, 1, self._slow_count + 1)
        self._reads = [request for key, (first, end) in lists for request in read_requests(key, first, end)]
        self._read_in_flight = 0
        self._lines = Lines(min(count, _MAX_LINES))
        shop = (User(str(number), *sample_name(1, number)) for number in range(1, users + 1))
        self._hashes = hash_requests(
            ["HSET", KEYS.user(user.user_id), *(part for pair in user.encode().items() for part in pair)]
            for user in shop
        )

    def contests(self) -> list[Contest]:
        """Return the contests of the product; a reading takes what the writing before it left."""
        write, read = f"write {self._count:,} values", f"read and verify {self._count:,} values"
        product, url, count = self._product, self._server.url, self._count
        digested = "hiredis and BLAKE2b alone"
        own_write, program_write = partial(product.write, count), partial(programs.write_s, url, count)
        return [
            Contest(write, "server-a's path", _RAW_WRITE, self._emptied(own_write), self._raw_write, WRITE_TARGET),
            Contest(read, "server-b's path", _RAW_READ, product.read, self._raw_read, READ_TARGET),
            Contest(read, digested, _RAW_READ, self._digested_read, self._raw_read),
            Contest(write, "server-a run", _RAW_WRITE, self._emptied(program_write), self._raw_write, WRITE_TARGET),
            Contest(read, "server-b run", _RAW_READ, partial(programs.read_s, url), self._raw_read, READ_TARGET),
        ]

    def line_contests(self) -> list[Contest]:
        """Return the contests of lines, the scan of their file included; a reading takes what was written before."""
        lines, product = self._lines, self._product
        write, read = f"write {lines.count:,} lines", f"read and verify {lines.count:,} lines"
        own_write = self._emptied(partial(product.write_lines, lines.path))
        return [
            Contest(write, "server-a's path", _RAW_WRITE, own_write, self._raw_write_lines, LINES_TARGET),
            Contest(read, "server-b's path", _RAW_READ, product.read, self._raw_read_lines, READ_TARGET),
        ]

    def shop_contests(self) -> list[Contest]:
        """Return the contest of the shop."""
        run = self._emptied(partial(self._product.write_users, self._users))
        return [Contest(f"write {self._users:,} users", "server-a's path", _RAW_WRITE, run, self._raw_users)]

    def peer_contests(self) -> list[Contest]:
        """Return the contests of others, after those of the product."""
        few = f"write {self._slow_count:,} values"
        one_by_one = partial(self._peer.push_one_by_one, self._slow_count)
        batches = partial(self._peer.push_batches, self._slow_count)
        read = partial(self._peer.read_batches, self._keys)
        contests = [
            Contest(f"read {self._count:,} values", "redis-py, lrange by 1,000", _RAW_READ, read, self._raw_read),
            Contest(few, "redis-py, one LPUSH a value", _RAW_WRITE, one_by_one, self._raw_write_few),
            Contest(few, "redis-py, 1,000 a LPUSH, 16 a pipeline", _RAW_WRITE, batches, self._raw_write_few),
        ]
        if peers.has_redis_benchmark():
            run = self._emptied(partial(peers.redis_benchmark_s, self._server.port, self._count))
            name = "redis-benchmark -P 4, 1,000 a LPUSH"
            contests.append(Contest(f"write {self._count:,} values", name, _RAW_WRITE, run, self._raw_write))
        return contests

    def _emptied(self, run: partial[float]) -> partial[float]:
        return partial(self._run_emptied, run)

    def _run_emptied(self, run: partial[float]) -> float:
        self._raw.empty_server()
        return run()

    def _raw_write(self) -> float:
        self._raw.empty_server()
        return self._raw.exchange(self._pushes, in_flight=_WRITE_IN_FLIGHT)

    def _raw_write_lines(self) -> float:
        self._raw.empty_server()
        return self._raw.exchange(self._lines.pushes, in_flight=_WRITE_IN_FLIGHT)

    def _raw_write_few(self) -> float:
        self._raw.call("DEL", peers.KEY)
        return self._raw.exchange(self._slow_pushes, in_flight=_WRITE_IN_FLIGHT)

    def _raw_read(self) -> float:
        if not self._read_in_flight:
            times = {window: self._raw.exchange(self._reads, in_flight=window) for window in _READ_IN_FLIGHT * 2}
            self._read_in_flight = min(times, key=lambda window: times[window])
        return self._raw.exchange(self._reads, in_flight=self._read_in_flight)

    def _raw_read_lines(self) -> float:
        return self._raw.exchange(self._lines.reads, in_flight=_DIGESTED_IN_FLIGHT)

    def _digested_read(self) -> float:
        return self._raw.digest(self._reads, in_flight=_DIGESTED_IN_FLIGHT)

    def _raw_users(self) -> float:
        self._raw.empty_server()
        return self._raw.exchange(self._hashes, in_flight=_USERS_IN_FLIGHT)

    def close(self) -> None:
        """Close all connections, and remove the file of lines."""
        self._lines.close()
        self._raw.close()
        self._product.close()
        self._peer.close()


def help_contests() -> list[Contest]:
    """Return one contest for each command's `--help`; they need no server."""
    return [
        Contest(
            "--help",
            " ".join(path).replace("_", "-"),
            "bare Python",
            partial(programs.help_s, path),
            programs.bare_python_s,
            HELP_TARGET_MS,
            "difference_ms",
        )
        for path in programs.commands()
    ]
