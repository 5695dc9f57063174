"""Large entries of strangers in our streams: one at a time is held to tell whose a stream is."""

from __future__ import annotations

import pytest

from shared.endpoint.stream_pages import LARGE_PAGE_BYTES
from tests.stage.inside import run_inside
from tests.stage.lied_to import READS, WRITES, Victim, short_waits, victim
from tests.stage.programs import Name
from tests.stage.raw import call

__all__ = ["short_waits", "victim"]

ENTRIES = 6
SIZE = LARGE_PAGE_BYTES + 100_000

COMMANDS: list[tuple[str, Name, tuple[str, ...], int]] = [
    ("dead", "server-a", ("status",), 75),
    ("dead", "server-b", ("status",), 75),
    ("dead", "server-b", ("report", "--json"), 0),
    ("dead", "server-b", ("dead", "list"), 78),
    ("dead", "server-b", READS, 78),
    ("dead", "server-a", ("purge", "--dry-run"), 0),
    ("signals", "server-a", WRITES, 78),
    ("signals", "server-b", ("dead", "list"), 78),
    ("signals", "server-a", ("purge", "--dry-run"), 0),
]


@pytest.mark.parametrize(("stream", "name", "arguments", "code"), COMMANDS)
def test_a_stream_of_strangers(victim: Victim, stream: str, name: Name, arguments: tuple[str, ...], code: int) -> None:
    key = victim.keys.dead_letters() if stream == "dead" else victim.keys.signals()
    call(victim.server, "DEL", key)
    for _ in range(ENTRIES):
        call(victim.server, "XADD", key, "*", "x", b"x" * SIZE)
    sizes, link = [0], victim.link

    def note(reply: bytes) -> bytes:
        sizes.append(len(reply))
        return reply

    link.change(note)
    ended = run_inside(name, *arguments, "--url", link.url)
    link.tell_the_truth()
    assert ended.exit_code == code, ended.stderr
    assert SIZE < max(sizes) < 2 * SIZE, "the look was made, and at one entry at a time"
