"""What is kept of strangers' large entries while a program looks: the beginning, however many replies hold them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from shared.endpoint.known_replies import KEPT_BYTES
from shared.endpoint.stream_pages import LARGE_PAGE_BYTES
from tests.stage.inside import run_inside
from tests.stage.lied_to import Victim, require_an_end, short_waits, victim
from tests.stage.programs import Name
from tests.stage.raw import call

__all__ = ["short_waits", "victim"]

SIZE = 32 * 1024 * 1024
COMMANDS: list[tuple[Name, tuple[str, ...]]] = [
    ("server-a", ("status",)),
    ("server-b", ("status",)),
    ("server-b", ("report", "--json")),
    ("server-b", ("dead", "list")),
    ("server-a", ("purge", "--dry-run")),
]


@pytest.fixture
def traced() -> Iterator[None]:
    """Count the bytes that Python allocates."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize(("name", "arguments"), COMMANDS)
@pytest.mark.parametrize("is_named", [False, True])
def test_a_look_at_streams_of_large_entries_holds_one_at_a_time(
    victim: Victim, traced: None, name: Name, arguments: tuple[str, ...], *, is_named: bool
) -> None:
    """One is the oldest and the newest signal, and another the newest dead letter: five replies hold them in all."""
    for key in (victim.keys.dead_letters(), victim.keys.signals()):
        call(victim.server, "DEL", key)
        call(victim.server, "XADD", key, "*", *((b"x" * SIZE, b"x") if is_named else (b"x", b"x" * SIZE)))
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    ended = run_inside(name, *arguments, "--url", victim.server.url)
    _, peak = tracemalloc.get_traced_memory()
    require_an_end(ended, name, " ".join(arguments))
    assert peak - before < 1.75 * SIZE


def test_what_is_cut_still_counts_as_large() -> None:
    """Else a page of a hundred would be asked for."""
    assert KEPT_BYTES > LARGE_PAGE_BYTES
