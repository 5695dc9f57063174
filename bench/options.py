"""The options of `python -m bench`."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from server_a.run.settings import DEFAULT_SEGMENT_VALUES

_DESCRIPTION = """\
Set both programs side by side with raw sockets, on the embedded Valkey and on redis-server if there is one. Leave the
machine alone meanwhile; ratios of single rounds tell how quiet it was."""


@dataclass(frozen=True)
class Defaults:
    """How much is done when no option says so."""

    count: int
    rounds: int


_SPEED = Defaults(8_000_000, 5)
_STRUCTURES = Defaults(500_000, 3)
_LINKS = Defaults(4_000_000, 3)


def parse_options() -> argparse.Namespace:
    """Return the options given, or end with 2."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=_DESCRIPTION, allow_abbrev=False)
    parser.add_argument(
        "--count",
        type=whole_number(1_000),
        help=f"values in the list [{_SPEED.count}, with --structures {_STRUCTURES.count}, with --links {_LINKS.count}]",
    )
    parser.add_argument("--users", type=whole_number(1_000), default=200_000, help="users in the shop [200000]")
    parser.add_argument(
        "--rounds",
        type=whole_number(1),
        help=f"rounds, besides one to warm up [{_SPEED.rounds}, with --structures and --links {_LINKS.rounds}]",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--peers", action="store_true", help="also redis-py's own shapes and redis-benchmark")
    what.add_argument("--structures", action="store_true", help="instead: a list against Redis's other structures")
    what.add_argument("--links", action="store_true", help="instead: over links that delay, against redis-cli --pipe")
    what.add_argument(
        "--scale", type=whole_number(1), metavar="VALUES", help="instead: hand over so many values once, with memory"
    )
    parser.add_argument(
        "--delays-ms", type=_delays, default=[0.0, 20.0, 80.0], metavar="MS,…", help="of --links' links [0,20,80]"
    )
    parser.add_argument(
        "--segment-values",
        type=whole_number(1),
        default=DEFAULT_SEGMENT_VALUES,
        help=f"values a segment with --scale [{DEFAULT_SEGMENT_VALUES}]",
    )
    parser.add_argument(
        "--server", choices=("valkey", "redis"), help="only this one [both; with --scale the last there is]"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with every round's seconds")
    options = parser.parse_args()
    if options.server == "redis" and shutil.which("redis-server") is None:
        parser.error("--server redis: there is no redis-server in PATH")
    defaults = _STRUCTURES if options.structures else _LINKS if options.links else _SPEED
    options.count = options.count or defaults.count
    options.rounds = options.rounds or defaults.rounds
    return options


def whole_number(least: int) -> Callable[[str], int]:
    """Return a type of argument: whole numbers from a least one."""

    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and int(text) >= least):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least}")
        return int(text)

    return number


def _delays(text: str) -> list[float]:
    return [float(whole_number(0)(part)) for part in text.split(",")]
