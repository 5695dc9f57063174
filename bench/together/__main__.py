"""The command line: `python -m bench.together readers` or `load`; docs/scale.md and docs/endpoints.md have the tables.

Exit codes: 0 when everything was measured and every run verified; 69 when a server could not be started, or there is
no redis-benchmark; 2 for bad arguments.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import TypeVar

from bench.options import whole_number
from bench.together.load import Beside, measure_beside
from bench.together.readers import Readers, measure_readers
from demo.binaries import valkey_binary
from demo.servers import ServerStartError

Row = TypeVar("Row")


def _options() -> argparse.Namespace:
    """Return the options given, or end with 2."""
    parser = argparse.ArgumentParser(prog="python -m bench.together", description=__doc__, allow_abbrev=False)
    parser.add_argument("what", choices=("readers", "load"), help="several server-b, or a load beside a hand-over")
    parser.add_argument("--count", type=whole_number(1), default=20_000_000, help="values of the run [20000000]")
    parser.add_argument("--segment-values", type=whole_number(1), default=100_000, help="values a segment [100000]")
    parser.add_argument("--readers", type=_numbers, default=[1, 4], metavar="N,…", help="how many server-b [1,4]")
    parser.add_argument("--delay-ms", type=whole_number(0), default=0, help="of the link of the readers [0]")
    parser.add_argument("--clients", type=_numbers, default=[0, 50], metavar="N,…", help="of the load [0,50]")
    parser.add_argument("--rounds", type=whole_number(1), default=3, help="each in turn, so often [3]")
    parser.add_argument("--server", choices=("valkey", "redis"), default="redis", help="which server [redis]")
    parser.add_argument("--json", action="store_true", help="print one JSON object with every hand-over")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [whole_number(0)(part) for part in text.split(",")]


def main() -> int:
    """Measure, print, and return the exit code."""
    options = _options()
    found = shutil.which("redis-server")
    if (options.server == "redis" and not found) or (options.what == "load" and not shutil.which("redis-benchmark")):
        print("bench: redis-server and redis-benchmark are needed in PATH", file=sys.stderr)
        return 69
    machine = f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} before"
    sizes = {"count": options.count, "segment_values": options.segment_values}
    try:
        binary = Path(found or "") if options.server == "redis" else valkey_binary()
        if options.what == "readers":
            read = _in_turn(
                options,
                options.readers,
                lambda n: measure_readers(binary, readers=n, delay_ms=options.delay_ms, **sizes),
            )
            text, rows = _readers_text(read), [each.as_json() for part in read for each in part]
        else:
            beside = _in_turn(options, options.clients, lambda n: measure_beside(binary, clients=n, **sizes))
            text, rows = _load_text(beside), [each.as_json() for part in beside for each in part]
    except ServerStartError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 69
    facts = {"machine": machine, "server": binary.name, "rounds": options.rounds, **sizes}
    facts |= {"delay_ms": options.delay_ms} if options.what == "readers" else {}
    print(json.dumps({**facts, "rows": rows}) if options.json else f"{facts}; medians\n\n{text}")
    return 0


def _in_turn(options: argparse.Namespace, numbers: Sequence[int], measure: Callable[[int], Row]) -> list[list[Row]]:
    """Return the measurements by number; each round has one of each, so that a busy neighbour meets them alike."""
    rows: list[list[Row]] = [[] for _ in numbers]
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        for row, wanted in zip(rows, numbers, strict=True):
            row.append(measure(wanted))
    return rows


def _readers_text(parts: list[list[Readers]]) -> str:
    """Return the rows of docs/scale.md."""
    first_s = median(each.read_s for each in parts[0])
    rows = []
    for part in parts:
        read_s, shares = median(each.read_s for each in part), min(part, key=lambda each: each.read_s).shares
        cells = [str(part[0].readers), f"{median(each.wall_s for each in part):.2f} s", f"{read_s:.2f} s"]
        cells += [f"{part[0].count / read_s:,.0f}", f"{first_s / read_s:.2f}", ", ".join(map(str, shares))]
        cells.append(f"{median(each.server_cpu_s for each in part):.2f} s")
        rows.append(cells)
    return _table(["server-b", "wall", "`read_s`", "values/s", "times as fast", "segments each", "server CPU"], rows)


def _load_text(parts: list[list[Beside]]) -> str:
    """Return the rows of docs/endpoints.md."""
    rows = []
    for part in parts:
        cells = [str(part[0].clients)]
        cells += [f"{median(getattr(each, f'load_{when}per_s') for each in part):,.0f}" for when in ("alone_", "")]
        for said, name in (("a", "write_s"), ("b", "read_s")):
            told = [getattr(each, said) for each in part]
            cells += [
                f"{median(each[name] for each in told):.2f} s",
                f"{median(each['values_per_s'] for each in told):,.0f}",
            ]
            cells.append(f"{median(each['reply_ms']['p99'] for each in told):.1f} ms")
        cells.append(", ".join(sorted({each.b["verdict"] for each in part})))
        rows.append(cells)
    of_a, of_b = [["`write_s`", "values/s", "A's reply p99"], ["`read_s`", "values/s", "B's reply p99"]]
    return _table(["clients", "SET and GET/s before", "meanwhile", *of_a, *of_b, "verdict"], rows)


def _table(headings: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (headings, ["---"] * len(headings), *rows))


if __name__ == "__main__":
    sys.exit(main())
