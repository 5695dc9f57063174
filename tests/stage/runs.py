"""Runs on a topology: started as users start them, and held against what was to arrive."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from demo.processes import Program
from demo.servers import Server
from tests.stage.programs import Finished, run_program
from tests.stage.raw import call

_PAGE = 100_000


def produce(url: str, *options: str, namespace: str = "", timeout_s: float = 60.0) -> Any:
    """Carry out `server-a run --json`, which must end with 0, and return its summary."""
    ended = run_program("server-a", "run", "--json", *options, server=url, namespace=namespace, timeout_s=timeout_s)
    assert ended.exit_code == 0, ended.stderr
    return ended.json()


def consume(
    url: str, *options: str, namespace: str = "", env: dict[str, str] | None = None, timeout_s: float = 60.0
) -> Any:
    """Carry out `server-b run --once --json`, which must end with 0, and return its report."""
    ended = run_program(
        "server-b",
        *("run", "--once", "--json", "--wait-s", "30", *options),
        server=url,
        namespace=namespace,
        env=env,
        timeout_s=timeout_s,
    )
    assert ended.exit_code == 0, ended.stderr
    return ended.json()


def require_exact(summary: Any, report: Any) -> None:
    """Check that a consumer verified the very run that a producer says it wrote."""
    expected = {name: summary[name] for name in ("run_id", "count", "segments", "digest")}
    assert {"verdict": "verified", **expected}.items() <= report.items(), report
    assert report["first"] == [str(number) for number in range(summary["count"], summary["count"] - 10, -1)]
    assert report["last"] == "1"


def require_numbers(holders: Iterable[tuple[str, Server]], *, segment_values: int, count: int) -> None:
    """Check, with the product left out, that each list holds its share of the numbers from 1, newest at the head.

    Args:
        holders: Each segment's key and the server that holds it, in order.
        segment_values: Values of each segment but the last.
        count: Values of the run.
    """
    first = 1
    for key, holder in holders:
        last = min(first + segment_values - 1, count)
        for offset in range(0, last - first + 1, _PAGE):
            newest = last - offset
            oldest = max(first, newest - _PAGE + 1)
            values = call(holder, "LRANGE", key, offset, offset + _PAGE - 1)
            assert values == [b"%d" % number for number in range(newest, oldest - 1, -1)], f"{key} at {offset}"
        assert call(holder, "LLEN", key) == last - first + 1
        first = last + 1
    assert first == count + 1


def require_one_sentence(ended: Finished, exit_code: int, *parts: str) -> None:
    """Check that a program ended with a code, and said so in one line that has these parts."""
    assert ended.exit_code == exit_code, ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert all(part in ended.stderr for part in parts), ended.stderr


def take_away(holder: Server, *keys: str) -> Callable[[], None]:
    """Remove keys from the server that holds them, and return what brings them back as they were."""
    kept = {key: call(holder, "DUMP", key) for key in keys}
    assert call(holder, "DEL", *keys) == len(keys)

    def bring_back() -> None:
        for key, content in kept.items():
            call(holder, "RESTORE", key, 0, content)

    return bring_back


def json_of(program: Program) -> Any:
    """Return what a program in the background printed, once it has ended with 0."""
    assert program.wait(60) == 0, program.errors()
    return json.loads(program.output())


def staging_keys(server: Server) -> list[bytes]:
    """Return the keys of segments that are being written to a server."""
    found: list[bytes] = call(server, "SCAN", 0, "MATCH", "*:staging:*", "COUNT", 100_000)[1]
    return found
