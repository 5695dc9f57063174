"""Every fault of a soak run once, near and over 80 ms with megabytes on their way, on both servers in turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.stage.servers import binary
from tests.stage.soak_faults import ROUNDS, Fault, Place, Round
from tests.stage.soak_places import PLACES, Servers
from tests.stage.soak_trial import Trial

SEED = 20261127  # of the moments; another one brings others
KINDS = ("valkey9", "redis7")
SIZES = (1, 4, 16)  # a quick program may have done all of it before its servers are seen to be far enough
Cell = tuple[Round, str]
CELLS: list[Cell] = [(wanted, KINDS[number % len(KINDS)]) for number, wanted in enumerate(ROUNDS)]
FAR_BOTH: list[Cell] = [(wanted, kind) for wanted in ROUNDS if wanted.place == "far" for kind in KINDS]


@pytest.fixture
def servers(request: pytest.FixtureRequest, session_directory: object) -> Iterator[Servers]:
    """The servers of a cell's place, whole and empty."""
    wanted, kind = request.getfixturevalue("cell")
    place: Place = wanted.place
    opened = PLACES[place](binary(kind))
    opened.start()
    try:
        opened.prepare()
        yield opened
    finally:
        opened.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    "cell",
    list(dict.fromkeys([*CELLS, *FAR_BOTH])),
    ids=lambda cell: "-".join((cell[1], *cell[0][:3])),
)
def test_what_is_handed_over_is_exact_after_it(cell: Cell, servers: Servers) -> None:
    """A wrong list or verdict, a second verdict or an undocumented exit code raises WrongResultError."""
    wanted, kind = cell
    fault = Fault.draw(f"{SEED}-{kind}-{'-'.join(wanted[:3])}", wanted)
    for times in SIZES:
        trial = Trial(servers, replace(fault, count=times * fault.count, segment_values=times * fault.segment_values))
        trial.carry_out()
        if trial.counts["met"] == 1:
            return
        servers.prepare()
    pytest.fail("the fault did not come")
