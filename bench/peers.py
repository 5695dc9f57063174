"""What others do the same job with: shapes of redis-py that people write, and redis-benchmark where it is installed."""

from __future__ import annotations

import shutil
import subprocess
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

KEY = "peers"
_BATCHES_A_PIPELINE = 16
_BATCH_VALUES = 1_000


class RedisPy:
    """redis-py's public interface."""

    def __init__(self, url: str) -> None:
        """Connect when first used; never repeat a command, as the product does not."""
        self._client = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=None)

    def push_one_by_one(self, count: int) -> float:
        """One LPUSH a value, all in one pipeline: the shape of the original exercise."""
        self._client.delete(KEY)
        started = time.perf_counter()
        pipeline = self._client.pipeline(transaction=False)
        for number in range(1, count + 1):
            pipeline.lpush(KEY, number)
        pipeline.execute()
        return time.perf_counter() - started

    def push_batches(self, count: int) -> float:
        """1,000 values a LPUSH, 16 of them a pipeline."""
        self._client.delete(KEY)
        started = time.perf_counter()
        pipeline = self._client.pipeline(transaction=False)
        for first in range(1, count + 1, _BATCH_VALUES):
            pipeline.lpush(KEY, *range(first, min(first + _BATCH_VALUES, count + 1)))
            if len(pipeline) == _BATCHES_A_PIPELINE:
                pipeline.execute()
        pipeline.execute()
        return time.perf_counter() - started

    def read_batches(self, keys: list[str]) -> float:
        """Read lists from their heads by LRANGE, 1,000 a round trip, verifying nothing."""
        started = time.perf_counter()
        for key in keys:
            start = 0
            while values := self._client.lrange(key, start, start + _BATCH_VALUES - 1):
                start += len(values)
        return time.perf_counter() - started

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def has_redis_benchmark() -> bool:
    """Return whether redis-benchmark is in PATH."""
    return shutil.which("redis-benchmark") is not None


def redis_benchmark_s(port: int, count: int) -> float:
    """Return the seconds redis-benchmark takes for `count` values of seven digits: 1,000 a LPUSH, 4 in flight."""
    values = [str(number) for number in range(1_000_000, 1_000_000 + _BATCH_VALUES)]
    requests = -(-count // _BATCH_VALUES)
    options = ["-p", str(port), "-c", "1", "-P", "4", "-n", str(requests), "--csv"]
    command = ["redis-benchmark", *options, "LPUSH", KEY, *values]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    requests_per_s = float(said.splitlines()[-1].rsplit('","', 7)[1].strip('"'))
    return requests / requests_per_s
