"""A purge in the midst of everything that either program does: what it took is written again, or that is told.

The moments are drawn from the commands that the program sends when nothing happens.
"""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

import pytest

from demo.servers import Server
from server_a.purge.purge import Purge
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from tests.stage.command_trials import SCENARIOS, CommandStage, Scenario, carried_on, command_stage, end_of
from tests.stage.servers import Kind

SEED = 20261127
MOMENTS = 6
CODES = {0, 2, 75, 78}  # 2: the record is gone, so that the run can't be resumed
CASES = [
    (name, with_shop, ("valkey9", "redis7")[(number + with_shop) % 2])
    for number, name in enumerate(name for name in SCENARIOS if name != "following")  # a replica takes no purge
    for with_shop in (False, True)
]

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("name", "with_shop", "server_kind"), CASES, indirect=["server_kind"])
def test_what_a_purge_takes_is_written_again_or_told(
    *, name: str, with_shop: bool, server_kind: Kind, own_server: Server, tmp_path: Path
) -> None:
    scenario, drawn = SCENARIOS[name], random.Random(f"{SEED}-{name}-{with_shop}")
    with command_stage(own_server, tmp_path / "state") as stage:
        sent = stage.link.sent[-sum(scenario.begin(stage).values()) :]
        come = 0
        for place in drawn.sample(range(len(sent)), MOMENTS):
            command, nth = sent[place], sent[: place + 1].count(sent[place])
            # how often a command comes may depend on how long others take
            come += any(_meet(stage, scenario, command, each, with_shop=with_shop) for each in (nth, 1))
    assert come >= MOMENTS // 2


def _meet(stage: CommandStage, scenario: Scenario, command: str, nth: int, *, with_shop: bool) -> bool:
    """Carry a hand-over out, and to its end, in which a purge comes at a moment; return whether it came."""
    try:
        return _meet_purge(stage, scenario, command, nth, with_shop=with_shop)
    except BaseException as error:
        error.add_note(f"{command} {nth}")
        raise


def _meet_purge(stage: CommandStage, scenario: Scenario, command: str, nth: int, *, with_shop: bool) -> bool:
    purges = []

    def purge() -> None:
        purges.append(command)
        _purge(stage, with_shop=with_shop)

    stage.restore()
    stage.link.act(purge, command, nth)
    ends = stage.hand_over()
    code, said = end_of(lambda: scenario.work(stage, ends))
    assert code in CODES, f"{code} {said}"
    run_id = stage.finish(stage.run_id or carried_on(stage, ends, code))
    stage.require_exact(run_id, is_strict=False)
    return bool(purges)


def _purge(stage: CommandStage, *, with_shop: bool) -> None:
    with closing(open_endpoint(EndpointSettings(url=parse_url(stage.server.url)))) as endpoint:
        purge = Purge(endpoint, stage.keys, with_shop=with_shop)
        purge.remove(purge.survey())
