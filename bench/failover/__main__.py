"""The command line: `python -m bench.failover`, which `make failover` calls.

Exit codes: 0 when every failover was measured and every run verified; 65 when a run was not; 69 when a server could not
be started; 2 for bad arguments.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.failover.forms import FORMS
from bench.failover.table import CUT_OFF, REPLICAS, Cell, failover_table
from bench.failover.trial import Load, Seen, TooLateError, try_failover
from bench.options import whole_number
from demo.binaries import valkey_binary
from demo.servers import ServerStartError

_TRIES = 3


def _options() -> argparse.Namespace:
    """Return the options given, or end with 2."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.failover",
        description="Kill primaries while both programs work, and show the outage that each saw and what was lost.",
        allow_abbrev=False,
    )
    parser.add_argument("--count", type=whole_number(1_000), default=8_000_000, help="values in the list [8000000]")
    parser.add_argument("--segment-values", type=whole_number(1), default=20_000, help="values a segment [20000]")
    parser.add_argument("--rounds", type=whole_number(1), default=3, help="failovers a row [3]")
    parser.add_argument("--form", choices=list(FORMS), action="append", help="only this one; may be repeated [all]")
    parser.add_argument(
        "--min-replicas", type=int, choices=(0, 1), action="append", help="only this one; may be repeated [0 and 1]"
    )
    parser.add_argument("--replica", choices=REPLICAS, action="append", help="only so; may be repeated [both]")
    parser.add_argument("--server", choices=("valkey", "redis"), default="valkey", help="which server [valkey]")
    parser.add_argument("--json", action="store_true", help="print one JSON object with every failover")
    options = parser.parse_args()
    if options.count // options.segment_values < 8:
        parser.error("--count: fewer than 8 segments leave no time to kill a primary")
    if options.server == "redis" and shutil.which("redis-server") is None:
        parser.error("--server redis: there is no redis-server in PATH")
    return options


def _binary(server: str) -> Path:
    """Return the server's program.

    Raises:
        ServerStartError: There is none for this machine.
    """
    return Path(shutil.which("redis-server") or "") if server == "redis" else valkey_binary()


def _measure(options: argparse.Namespace, binary: Path) -> Iterator[tuple[Cell, list[Seen]]]:
    """Yield each row's failovers; the primary dies after a quarter, a half, three quarters … of the segments.

    Raises:
        ServerStartError: A server did not come up.
        RuntimeError: A program did not finish, or a run was over before the kill three times.
    """
    for cell in _cells(options):
        seen = []
        for number in range(1, options.rounds + 1):
            print(f"{cell.form}, {cell.replica}, {cell.min_replicas}: {number} of {options.rounds}", file=sys.stderr)
            seen.append(_try(cell, binary, options, part=number / (options.rounds + 1)))
        yield cell, seen


def _cells(options: argparse.Namespace) -> list[Cell]:
    replicas, numbers = options.replica or REPLICAS, options.min_replicas or [0, 1]
    rows = itertools.product(options.form or FORMS, replicas, numbers)
    return [Cell(*row) for row in dict.fromkeys(rows)]


def _try(cell: Cell, binary: Path, options: argparse.Namespace, *, part: float) -> Seen:
    load = Load(options.count, options.segment_values)
    how = {"min_replicas": cell.min_replicas, "kill_at": int(load.segments * part)}
    for _ in range(_TRIES):
        try:
            return try_failover(FORMS[cell.form](binary), load, is_cut_off=cell.replica == CUT_OFF, **how)
        except TooLateError:
            continue
    raise RuntimeError(f"the run was over before the primary was killed, {_TRIES} times; give a larger --count")


def main() -> int:
    """Measure and return the exit code."""
    options = _options()
    try:
        found = dict(_measure(options, binary := _binary(options.server)))
    except (ServerStartError, RuntimeError) as error:
        print(f"bench.failover: {error}", file=sys.stderr)
        return 69
    machine = f"{binary.name}, Python {platform.python_version()}, {os.cpu_count()} CPUs, {datetime.now(UTC):%Y-%m-%d}"
    if options.json:
        cells = [{**cell._asdict(), "failovers": [one.as_json() for one in seen]} for cell, seen in found.items()]
        print(json.dumps({"machine": machine, "cells": cells}))
    else:
        print(f"{machine}; {options.count:,} values in segments of {options.segment_values:,}\n")
        print(failover_table(found))
    return 0 if all(one.verdict == "verified" for seen in found.values() for one in seen) else 65


if __name__ == "__main__":
    sys.exit(main())
