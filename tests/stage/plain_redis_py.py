"""The plain way: a loader and a reader as redis-py's documentation suggests them. No part of the product.

The fault suite runs on it too, and must find what is wrong with it (test_teeth.py): a suite that passes anything would
say nothing about the product. Whatever a careful person adds by hand, such as retries of their own, is left out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import cast

import redis

PIPELINE_VALUES = 1_000
CHUNK_VALUES = 1_000


def load(client: redis.Redis, key: str, lines: list[str]) -> None:
    """Write a list anew, by pipelines of LPUSH."""
    client.delete(key)
    for start in range(0, len(lines), PIPELINE_VALUES):
        pipeline = client.pipeline(transaction=False)
        for line in lines[start : start + PIPELINE_VALUES]:
            pipeline.lpush(key, line)
        pipeline.execute()


def read(client: redis.Redis, key: str) -> list[str]:
    """Return a list from its tail to its head, which is the order of insertion, by chunks of LRANGE from the head."""
    values: list[str] = []
    length = client.llen(key)
    for start in range(0, length, CHUNK_VALUES):
        values += cast("list[str]", client.lrange(key, start, start + CHUNK_VALUES - 1))
    return values[::-1]


def main() -> None:
    """Carry out `load PORT KEY FILE`, or `read PORT KEY`, which prints what it takes for the whole list as JSON."""
    action, port, key, *rest = sys.argv[1:]
    client = redis.Redis(port=int(port), decode_responses=True)
    if action == "load":
        load(client, key, Path(rest[0]).read_text(encoding="utf-8").splitlines())
    else:
        sys.stdout.write(json.dumps(read(client, key)))


if __name__ == "__main__":
    main()
