"""Faults at random moments, for as long as you like: `python -m tests.soak`, which `make soak` calls.

Writes what it counted into docs/soak.md. Exit codes: 0 when every list was exact in the end and none was called
verified that was not; 65 when one was, with the name of the trial that brings it again (`--only`).
"""

from __future__ import annotations

import argparse
import platform
import random
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import redis

from demo.binaries import valkey_binary
from demo.servers import Server
from tests.stage.bad_inputs import give_bad_inputs
from tests.stage.servers import connect
from tests.stage.soak_commands import EACH, carry_out_shares, shares_of
from tests.stage.soak_faults import ROUNDS, Fault, Place, Round
from tests.stage.soak_places import PLACES, Servers
from tests.stage.soak_programs import WrongResultError
from tests.stage.soak_report import Soak
from tests.stage.soak_trial import Trial

PAGE = Path(__file__).parents[2] / "docs" / "soak.md"
_COMMANDS = "commands"  # where the place is one server, and each command that is sent meets the faults
_ADDING = Lock()


class Planned(NamedTuple):
    """One trial that is to come."""

    name: str
    server: str
    wanted: Round


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__, allow_abbrev=False)
    parser.add_argument("--minutes", type=float, default=600.0, help="end after so many minutes at the latest [600]")
    parser.add_argument("--each", type=int, default=None, help="faults of each kind [as docs/soak.md counts them]")
    parser.add_argument(
        "--place", choices=[*PLACES, _COMMANDS], action="append", help="only there; may be repeated [all]"
    )
    parser.add_argument("--seed", type=int, default=None, help="number to draw the moments from [a new one]")
    parser.add_argument(
        "--only", default="", help="one trial, as a failure named it, such as 42-valkey-server-a-near-cut-3"
    )
    parser.add_argument("--jobs", type=int, default=2, help="hand-overs at once; they wait more than they work [2]")
    parser.add_argument("--inputs", type=int, default=2_000, help="bad inputs for each decoder [2000]")
    return parser.parse_args()


def _plan(options: argparse.Namespace, seed: int, servers: list[str]) -> list[Planned]:
    """Return all trials, each kind spread over the whole run and over the servers in turn."""
    spread = []
    for wanted in ROUNDS:
        number = wanted.number if options.each is None else options.each
        if wanted.place in (options.place or PLACES):
            spread += [((one + 0.5) / number, one, wanted) for one in range(number)]
    plan = []
    for _, one, wanted in sorted(spread, key=lambda found: found[0]):
        server = servers[one % len(servers)]
        name = f"{seed}-{server}-{wanted.program}-{wanted.place}-{wanted.kind}-{one}"
        plan.append(Planned(name, server, wanted))
    return [planned for planned in plan if options.only in ("", planned.name)]


def main() -> int:
    """Carry out the trials, print each, and write the page."""
    options = _options()
    named = int(options.only.partition("-")[0]) if options.only else random.randrange(10**6)
    seed = named if options.seed is None else options.seed
    redis_server = shutil.which("redis-server")
    binaries = {"valkey": valkey_binary()} | ({"redis": Path(redis_server)} if redis_server else {})
    plan = _plan(options, seed, list(binaries))
    soak = Soak(seed, [_version(binary) for binary in binaries.values()])
    end_at = time.monotonic() + 60 * options.minutes
    sys.stdout.write(f"seed {seed}, {len(plan)} hand-overs\n")
    # each thread has servers of its own, which end with it
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(lambda share: _carry_out(share, binaries, soak, end_at), _dealt(plan, options.jobs)))
    if _COMMANDS in (options.place or [_COMMANDS]):
        each, left_s = EACH if options.each is None else options.each, end_at - time.monotonic()
        shares = shares_of(seed, binaries, each, only=options.only, end_at=time.time() + left_s)
        carry_out_shares(shares, options.jobs, soak.add_commands)
    soak.bad_inputs = give_bad_inputs(seed, options.inputs)
    soak.minutes = (time.monotonic() - end_at) / 60 + options.minutes
    if not options.only:
        machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
        PAGE.write_text(soak.page(datetime.now(UTC), machine), encoding="utf-8")
    sys.stdout.write(soak.summary())
    return 65 if soak.wrong else 0


def _dealt(plan: list[Planned], shares: int) -> list[list[Planned]]:
    """Return the trials in so many shares, in each of which the servers take turns."""
    return [plan[share::shares] for share in range(shares)]


def _carry_out(plan: list[Planned], binaries: dict[str, Path], soak: Soak, end_at: float) -> None:
    """Carry out the trials, one after the other, until the time is over."""
    started: dict[tuple[str, Place], Servers] = {}
    try:
        for planned in plan:
            if time.monotonic() > end_at:
                break
            place = (planned.server, planned.wanted.place)
            if place not in started:
                started[place] = PLACES[place[1]](binaries[place[0]])
                started[place].start()
            _try(planned, started[place], soak)
    finally:
        for servers in started.values():
            servers.stop()


def _try(planned: Planned, servers: Servers, soak: Soak) -> None:
    """Carry out one trial, and add what it counted and what went wrong."""
    fault = Fault.draw(planned.name, planned.wanted)
    servers.prepare()
    trial, wrong = Trial(servers, fault), ""
    try:
        trial.carry_out()
    except (WrongResultError, AssertionError, redis.RedisError) as error:  # the latter two: nobody came back in time
        wrong = f"{planned.name}: {type(error).__name__}: {error}"
    with _ADDING:
        soak.add(planned.wanted, fault, trial.counts, wrong, under_way_bytes=trial.under_way_bytes)
        sys.stdout.write(f"{planned.name}: {wrong or dict(+trial.counts) or 'the fault did not come'}\n")
        sys.stdout.flush()


def _version(binary: Path) -> str:
    with Server(binary) as server, connect(server) as client:
        info = client.info("server")
    facts = info if isinstance(info, dict) else {}
    return f"Valkey {facts['valkey_version']}" if "valkey_version" in facts else f"Redis {facts.get('redis_version')}"


if __name__ == "__main__":
    sys.exit(main())
