"""The command line of the benchmark: `python -m bench`, whose options are in bench/options.py.

Three options measure something else: `--structures` the list the product uses against the other structures Redis has,
`--links` both programs over links that delay, `--scale VALUES` one hand-over of a size.

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
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from bench.arena import Arena, help_contests
from bench.contest import Outcome, hold
from bench.links.course import run_course
from bench.links.facts import LinkFacts
from bench.links.pipe import has_redis_cli
from bench.machine import neighbour_slowdown
from bench.options import parse_options
from bench.scale import measure_scale, scale_text
from bench.starts import start_contests
from bench.structures.compare import compare
from bench.structures.table import Row, structures_table
from bench.table import table
from demo.binaries import valkey_binary
from demo.servers import Server, ServerStartError

_HELP_PLACE = "no server"
_START_PLACE = "whole processes"


def _binaries(options: argparse.Namespace) -> list[Path]:
    """Return the embedded Valkey and, if it is in PATH, redis-server, or the one that was asked for.

    Raises:
        ServerStartError: There is no embedded Valkey here.
    """
    found = shutil.which("redis-server")
    valkey = [] if options.server == "redis" else [valkey_binary()]
    return [*valkey, *([Path(found)] if found and options.server != "valkey" else [])]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _announce(options: argparse.Namespace, place: str, number: int) -> None:
    _say(f"{place}: " + (f"round {number} of {options.rounds}" if number else "warming up"))


def _measured_binaries(options: argparse.Namespace, slowdowns: list[float]) -> Iterator[Path]:
    """Yield each server's program; before and after each, see how much the cores slow each other."""
    slowdowns.append(neighbour_slowdown())
    for binary in _binaries(options):
        yield binary
        slowdowns.append(neighbour_slowdown())


def _race(options: argparse.Namespace, slowdowns: list[float]) -> tuple[dict[str, Any], str]:
    """Set both programs side by side with raw sockets on each server; return that as JSON and as a table.

    Raises:
        ServerStartError: A server did not come up.
    """
    outcomes: dict[str, list[Outcome]] = {}
    for binary in _measured_binaries(options, slowdowns):
        with Server(binary) as server, closing(Arena(server, count=options.count, users=options.users)) as arena:
            contests = arena.contests() + (arena.peer_contests() if options.peers else [])
            contests += arena.line_contests() + arena.shop_contests()
            outcomes[arena.version] = hold(
                contests, rounds=options.rounds, on_round=partial(_announce, options, arena.version)
            )
    with Server(valkey_binary()) as server:
        outcomes[_START_PLACE] = hold(
            start_contests(server.url), rounds=options.rounds, on_round=partial(_announce, options, "start")
        )
    helps = hold(help_contests(), rounds=options.rounds, on_round=partial(_announce, options, "--help"))
    slowest = max(helps, key=lambda outcome: outcome.middle)
    shown = {**outcomes, f"Slowest --help of {len(helps)} commands, beyond a bare Python's start": [slowest]}
    text = f"x is a multiple of the raw socket's time in that round\n\n{table(shown)}"
    return {"outcomes": _as_json({**outcomes, _HELP_PLACE: helps})}, text


def _compare(options: argparse.Namespace, slowdowns: list[float]) -> tuple[dict[str, Any], str]:
    """Compare the structures on each server; return that as JSON and as a table.

    Raises:
        ServerStartError: A server did not come up.
    """
    rows: dict[str, list[Row]] = {}
    for binary in _measured_binaries(options, slowdowns):
        version, found = compare(
            binary, count=options.count, rounds=options.rounds, on_round=partial(_announce, options)
        )
        rows[version] = found
    places = {place: [row.as_json() for row in found] for place, found in rows.items()}
    text = f"{options.count:,} values; x is a multiple of the list's time in that round, bytes are a value's"
    return {"structures": places}, f"{text}\n\n{structures_table(rows)}"


def _link(options: argparse.Namespace, slowdowns: list[float]) -> tuple[dict[str, Any], str]:
    """Run both programs over links to each server; return that as JSON and as a table with sentences.

    Raises:
        ServerStartError: A server did not come up.
    """
    outcomes: dict[str, list[Outcome]] = {}
    all_facts: dict[str, LinkFacts] = {}
    for binary in _measured_binaries(options, slowdowns):
        version, found, facts = run_course(
            binary,
            count=options.count,
            users=options.users,
            delays_ms=options.delays_ms,
            rounds=options.rounds,
            on_round=partial(_announce, options),
        )
        outcomes |= {f"{version}, {place}": in_place for place, in_place in found.items()}
        all_facts[version] = facts
    sentences = "\n".join(f"{version}: {text}" for version, facts in all_facts.items() for text in facts.sentences())
    text = (
        "x is a multiple of the baseline's time in that round: redis-cli --pipe for writing, a raw socket that asks\n"
    )
    text += f"2 MB ahead for reading\n\n{table(outcomes, baseline='baseline')}\n{sentences}"
    return {"outcomes": _as_json(outcomes), "facts": {version: f.as_json() for version, f in all_facts.items()}}, text


def _as_json(outcomes: dict[str, list[Outcome]]) -> dict[str, list[dict[str, object]]]:
    return {place: [outcome.as_json() for outcome in found] for place, found in outcomes.items()}


def _scale(options: argparse.Namespace, machine: str) -> None:
    """Hand over once and print the row; on redis-server if there is one.

    Raises:
        ServerStartError: The server did not come up.
    """
    binary = _binaries(options)[-1]
    row = measure_scale(binary, count=options.scale, segment_values=options.segment_values)
    if options.json:
        print(json.dumps({"machine": machine, "server": binary.name, **row.as_json()}))
    else:
        print(f"{machine}; {binary.name}\n\n{scale_text(row)}")


def main() -> int:
    """Run the benchmark and return its exit code."""
    options = parse_options()
    machine = (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, "
        f"load {os.getloadavg()[0]:.1f} before"
    )
    if options.links and not has_redis_cli():
        _say("bench: --links needs redis-cli in PATH, which Debian has in redis-tools; nothing was measured")
        return 0
    slowdowns: list[float] = []
    try:
        if options.scale:
            _scale(options, machine)
            return 0
        measure = _compare if options.structures else _link if options.links else _race
        found, text = measure(options, slowdowns)
    except ServerStartError as error:
        _say(f"bench: {error}")
        return 69
    if options.json:
        print(json.dumps({"machine": machine, "slowed_by_neighbour": slowdowns, "rounds": options.rounds, **found}))
    else:
        print(f"{machine}; beside a busy core another takes {min(slowdowns)} to {max(slowdowns)} times as long")
        print(f"medians of {options.rounds} rounds, {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
