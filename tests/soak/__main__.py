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
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from demo.binaries import valkey_binary
from demo.servers import Server
from tests.stage.servers import connect
from tests.stage.soak_faults import KINDS, Fault
from tests.stage.soak_report import Soak
from tests.stage.soak_trial import Trial, WrongResultError

PAGE = Path(__file__).parents[2] / "docs" / "soak.md"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__, allow_abbrev=False)
    parser.add_argument("--minutes", type=float, default=600.0, help="end after so many minutes at the latest [600]")
    parser.add_argument("--each", type=int, default=25, help="faults of each kind on each server [25]")
    parser.add_argument("--seed", type=int, default=None, help="number to draw the moments from [a new one]")
    parser.add_argument("--only", default="", help="one trial, as a failure named it, such as 42-valkey-server-a-cut-3")
    return parser.parse_args()


def main() -> int:
    """Carry out the trials, print each, and write the page."""
    options = _options()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    redis_server = shutil.which("redis-server")
    binaries = {"valkey": valkey_binary()} | ({"redis": Path(redis_server)} if redis_server else {})
    servers = {name: Server(binary) for name, binary in binaries.items()}
    soak, end_at = Soak(seed), time.monotonic() + 60 * options.minutes
    names = (
        (f"{seed}-{server}-{program}-{kind}-{number}", server, program, kind)
        for number in range(options.each)
        for program, kind in KINDS
        for server in servers
    )
    sys.stdout.write(f"seed {seed}\n")
    try:
        for server in servers.values():
            server.start()
            with connect(server) as client:
                info = client.info("server")
                soak.servers.append(_version(info))
        for name, server_name, program, kind in names:
            if time.monotonic() > end_at:
                break
            if options.only and name != options.only:
                continue
            soak.add(program, kind, *_try(name, servers[server_name], Fault.draw(name, program, kind)))
    finally:
        for server in servers.values():
            server.stop()
    soak.minutes = (time.monotonic() - end_at) / 60 + options.minutes
    if not options.only:
        machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
        PAGE.write_text(soak.page(datetime.now(UTC), machine), encoding="utf-8")
    sys.stdout.write(soak.summary())
    return 65 if soak.wrong else 0


def _try(name: str, server: Server, fault: Fault) -> tuple[Fault, Counter[str], str]:
    """Carry out one trial; return what it counted, and what went wrong."""
    with connect(server) as client:
        client.flushall()  # a server of our own
        trial, wrong = Trial(server, client, fault), ""
        try:
            trial.carry_out()
        except WrongResultError as error:
            wrong = f"{name}: {error}"
    sys.stdout.write(f"{name}: {wrong or dict(trial.counts) or 'the fault did not come'}\n")
    sys.stdout.flush()
    return fault, trial.counts, wrong


def _version(info: object) -> str:
    facts = info if isinstance(info, dict) else {}
    return f"Valkey {facts['valkey_version']}" if "valkey_version" in facts else f"Redis {facts.get('redis_version')}"


if __name__ == "__main__":
    sys.exit(main())
