"""The command line of the benchmark: `python -m bench [--count N] [--rounds N] [--users N] [--peers] [--json]`.

`python -m bench --structures [--count N] [--rounds N] [--json]` measures something else: the list the product uses
against the other structures Redis has.

Exit codes: 0 when everything was measured, whatever came out; 69 when a server could not be started; 2 for bad
arguments.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from bench.arena import Arena, help_contests
from bench.contest import Outcome, hold
from bench.machine import neighbour_slowdown
from bench.starts import start_contests
from bench.structures.compare import compare
from bench.structures.table import Row, structures_table
from bench.table import table
from demo.binaries import valkey_binary
from demo.servers import Server, ServerStartError

_HELP_PLACE = "no server"
_START_PLACE = "whole processes"


def _whole_number(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and int(text) >= least):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least}")
        return int(text)

    return number


def _arguments() -> argparse.Namespace:
    """Return the options given, or end with 2."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Set both programs side by side with raw sockets, on the embedded Valkey and on redis-server if "
        "there is one. Leave the machine alone meanwhile; ratios of single rounds tell how quiet it was.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--count", type=_whole_number(1_000), help="values in the list [8000000, with --structures 500000]"
    )
    parser.add_argument("--users", type=_whole_number(1_000), default=200_000, help="users in the shop [200000]")
    parser.add_argument(
        "--rounds", type=_whole_number(1), help="rounds, besides one to warm up [5, with --structures 3]"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--peers", action="store_true", help="also redis-py's own shapes and redis-benchmark")
    what.add_argument("--structures", action="store_true", help="instead: a list against Redis's other structures")
    parser.add_argument("--json", action="store_true", help="print one JSON object with every round's seconds")
    options = parser.parse_args()
    count, rounds = (500_000, 3) if options.structures else (8_000_000, 5)
    options.count = options.count or count
    options.rounds = options.rounds or rounds
    return options


def _binaries() -> list[Path]:
    """Return the embedded Valkey and, if it is in PATH, redis-server."""
    found = shutil.which("redis-server")
    return [valkey_binary(), *([Path(found)] if found else [])]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _measure(options: argparse.Namespace) -> tuple[dict[str, list[Outcome]], list[float]]:
    """Hold all contests, by the server they were held on; between them, see how much the cores slow each other.

    Raises:
        ServerStartError: A server did not come up.
    """
    outcomes: dict[str, list[Outcome]] = {}
    slowdowns = [neighbour_slowdown()]
    for binary in _binaries():
        with Server(binary) as server, closing(Arena(server, count=options.count, users=options.users)) as arena:
            contests = arena.contests() + (arena.peer_contests() if options.peers else [])
            contests += arena.line_contests() + arena.shop_contests()
            outcomes[arena.version] = hold(
                contests, rounds=options.rounds, on_round=partial(_announce, options, arena.version)
            )
        slowdowns.append(neighbour_slowdown())
    with Server(valkey_binary()) as server:
        outcomes[_START_PLACE] = hold(
            start_contests(server.url), rounds=options.rounds, on_round=partial(_announce, options, "start")
        )
    outcomes[_HELP_PLACE] = hold(help_contests(), rounds=options.rounds, on_round=partial(_announce, options, "--help"))
    return outcomes, slowdowns


def _compare(options: argparse.Namespace) -> tuple[dict[str, list[Row]], list[float]]:
    """Compare the structures, by the server they were compared on; between them, see how the cores slow each other.

    Raises:
        ServerStartError: A server did not come up.
    """
    rows: dict[str, list[Row]] = {}
    slowdowns = [neighbour_slowdown()]
    for binary in _binaries():
        version, found = compare(
            binary, count=options.count, rounds=options.rounds, on_round=partial(_announce, options)
        )
        rows[version] = found
        slowdowns.append(neighbour_slowdown())
    return rows, slowdowns


def _announce(options: argparse.Namespace, place: str, number: int) -> None:
    _say(f"{place}: " + (f"round {number} of {options.rounds}" if number else "warming up"))


def _text(outcomes: dict[str, list[Outcome]]) -> str:
    """Return the table, of all `--help`s only the slowest."""
    helps = outcomes[_HELP_PLACE]
    slowest = max(helps, key=lambda outcome: outcome.middle)
    shown = {**outcomes, f"Slowest --help of {len(helps)} commands, beyond a bare Python's start": [slowest]}
    del shown[_HELP_PLACE]
    return table(shown)


def main() -> int:
    """Run the benchmark and return its exit code."""
    options = _arguments()
    machine = (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, "
        f"load {os.getloadavg()[0]:.1f} before"
    )
    try:
        if options.structures:
            rows, slowdowns = _compare(options)
            places = {place: [row.as_json() for row in found] for place, found in rows.items()}
            text = f"{options.count:,} values; x is a multiple of the list's time in that round, bytes are a value's"
            text += f"\n\n{structures_table(rows)}"
        else:
            outcomes, slowdowns = _measure(options)
            places = {place: [outcome.as_json() for outcome in found] for place, found in outcomes.items()}
            text = f"x is a multiple of the raw socket's time in that round\n\n{_text(outcomes)}"
    except ServerStartError as error:
        _say(f"bench: {error}")
        return 69
    if options.json:
        facts = {"machine": machine, "slowed_by_neighbour": slowdowns, "rounds": options.rounds}
        print(json.dumps({**facts, "structures" if options.structures else "outcomes": places}))
    else:
        print(f"{machine}; beside a busy core another takes {min(slowdowns)} to {max(slowdowns)} times as long")
        print(f"medians of {options.rounds} rounds, {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
