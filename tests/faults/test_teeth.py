"""The fault suite has teeth: what our programs stand breaks the list of a plain redis-py loader and reader.

Each scenario is carried out on both, over the same link to the same server. The plain client must fail in the way that
is named and in no other; ours must hand over exactly what was given, or say that there is nothing complete.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.contenders import TIMEOUT_S, Contender, Ours, Plain, flaws, load
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import stored_values

if TYPE_CHECKING:
    import redis

COUNT = 2_500
OLD, NEW = ([f"{name}-{number:05}" for number in range(1, COUNT + 1)] for name in ("old", "new"))


@dataclass
class Arena:
    """A server, a link to it, and two files of values."""

    server: Server
    link: FaultyLink
    old: Path
    new: Path


def a_reply_is_lost(contender: Contender, arena: Arena) -> set[str]:
    arena.link.lose_reply(b"LPUSH", nth=contender.middle)
    assert load(contender, arena.link.port, arena.new) == 0
    return flaws(contender.read(arena.server.port), NEW)


def a_batch_comes_late(contender: Contender, arena: Arena) -> set[str]:
    arena.link.hold(b"LPUSH", nth=contender.middle)
    assert load(contender, arena.link.port, arena.old) == 0
    assert load(contender, arena.server.port, arena.new) == 0
    assert arena.link.deliver_held()
    return flaws(contender.read(arena.server.port), NEW, OLD)


def the_loader_is_killed(contender: Contender, arena: Arena) -> set[str]:
    with contender.start_load(arena.link.port, arena.new) as process:

        def kill() -> None:
            process.kill()
            process.wait(TIMEOUT_S)

        arena.link.at(b"LPUSH", kill, nth=contender.middle)
        assert process.wait(TIMEOUT_S) < 0
    arena.link.close()  # what it had sent has been carried out now
    return flaws(contender.read(arena.server.port), NEW)


def the_list_is_replaced_while_it_is_read(contender: Contender, arena: Arena) -> set[str]:
    assert load(contender, arena.server.port, arena.old) == 0
    # a value of the first chunk alone: the server has read that by then
    arena.link.at_reply(b"old-02400", lambda: contender.replace(arena.server.port, arena.new))
    return flaws(contender.read(arena.link.port), NEW, OLD)


SCENARIOS = pytest.mark.parametrize(
    ("scenario", "named"),
    [
        (a_reply_is_lost, {"doubled"}),
        (a_batch_comes_late, {"foreign"}),
        (the_loader_is_killed, {"short"}),
        (the_list_is_replaced_while_it_is_read, {"foreign", "short"}),  # old values where new ones are missing
    ],
)
Scenario = Callable[[Contender, Arena], set[str]]


@pytest.fixture
def arena(server: Server, link: FaultyLink, tmp_path: Path) -> Arena:
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.write_text("".join(f"{line}\n" for line in OLD), encoding="utf-8")
    new.write_text("".join(f"{line}\n" for line in NEW), encoding="utf-8")
    return Arena(server, link, old, new)


@SCENARIOS
def test_a_plain_client_fails_as_named(*, scenario: Scenario, named: set[str], arena: Arena, keys: Keyspace) -> None:
    assert scenario(Plain(keys), arena) == named


@SCENARIOS
def test_ours_stands_the_same(
    *, scenario: Scenario, named: set[str], arena: Arena, keys: Keyspace, namespace: str, client: redis.Redis
) -> None:
    assert scenario(Ours(keys, namespace, client), arena) == set()
    if scenario is not the_loader_is_killed:  # whose run is nowhere complete
        assert [value.decode() for value in stored_values(client, keys)] == NEW
