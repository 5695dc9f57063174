"""All contests over links on one server, from an empty one to what the table shows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from bench import programs
from bench.contest import Contest, Outcome, hold
from bench.links.facts import LinkFacts
from bench.links.far import SLOW_BYTES_PER_S, SLOW_DELAY_MS, Far
from bench.links.link import Link
from bench.links.near import Near
from bench.links.two_primaries import TwoPrimaries
from demo.servers import Server


def run_course(
    binary: Path,
    *,
    count: int,
    users: int,
    delays_ms: Sequence[float],
    rounds: int,
    on_round: Callable[[str, int], None],
) -> tuple[str, dict[str, list[Outcome]], LinkFacts]:
    """Hold all contests on a server started for them.

    Args:
        binary: The server.
        count: Numbers in the list; other sizes follow from it.
        users: Users in the shop on loopback; half of them over the link of the greatest delay.
        delays_ms: Of the links.
        rounds: Rounds that count, besides one to warm up.
        on_round: Called with version and number of each round before it begins, 0 for the warm-up.

    Returns:
        The server's version, the outcomes by place, and what else was seen.

    Raises:
        ServerStartError: A server did not come up.
    """
    facts = LinkFacts()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="handover-")))
        server = stack.enter_context(Server(binary))
        links = [stack.enter_context(Link(server.port, delay_ms=delay_ms)) for delay_ms in delays_ms]
        slow = stack.enter_context(Link(server.port, delay_ms=SLOW_DELAY_MS, bytes_per_s=SLOW_BYTES_PER_S))
        far = stack.enter_context(closing(Far(server, directory, facts, count=count)))
        near = stack.enter_context(closing(Near(server, directory)))
        _look_at(links, facts)
        farthest = max(links, key=lambda link: link.delay_ms)
        places: dict[str, list[Contest]] = {f"{link.delay_ms:g} ms": far.contests_of(link) for link in links}
        places[f"{farthest.delay_ms:g} ms"] += far.shop_contests(farthest, max(1, users // 2))
        places[f"{farthest.delay_ms:g} ms"] += far.process_contests(farthest)
        places[f"{SLOW_DELAY_MS:g} ms, {SLOW_BYTES_PER_S // 1_000} kB/s"] = far.slow_contests(slow, max(1, count // 16))
        places["loopback, no proxy"] = near.lines_contests(count * 5 // 4) + near.shop_contests(users)
        if programs.has_option("server_a", "--writers"):
            pair = stack.enter_context(TwoPrimaries(binary, count=count))
            places["two primaries on loopback, no proxy"] = pair.contests(facts)
        else:
            facts.skipped.append("Two primaries: skipped, since this server-a has no --writers.")
        contests = [contest for found in places.values() for contest in found]
        outcomes = iter(hold(contests, rounds=rounds, on_round=partial(on_round, far.version)))
        return far.version, {place: [next(outcomes) for _ in found] for place, found in places.items()}, facts


def _look_at(links: Sequence[Link], facts: LinkFacts) -> None:
    """Note what the links are like before anything is measured through them."""
    for link in links:
        facts.round_trip_ms[f"{link.delay_ms:g} ms"] = round(link.round_trip_ms(), 2)
    nearest = min(links, key=lambda link: link.delay_ms)
    facts.megabytes_per_s = max(nearest.megabytes_per_s() for _ in range(3))
