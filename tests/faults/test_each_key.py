"""Every key of ours, deleted, replaced by somebody else's, or expired while a program works: it is mended, or told.

The moments are drawn from the commands that the program sends when nothing happens.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.servers import Server
from tests.stage.command_trials import READING, SCENARIOS, CommandStage, Scenario, carried_on, command_stage, end_of
from tests.stage.raw import call
from tests.stage.servers import Kind

SEED = 20261127
MOMENTS = {"server-a": 4, "server-b": 2}  # for each kind of key; server-b waits for what is lost
THEIRS = b"theirs"
CODES = {0, 65, 75, 78}
KINDS = (
    "user", "sku", "cart", "segment", "state", "staging", "run", "result", "signals", "dead_letters", "consumer",
    "reading",
)  # fmt: skip
WAYS: dict[str, Callable[[Server, bytes], object]] = {
    "deleted": lambda server, key: call(server, "DEL", key),
    "replaced": lambda server, key: call(server, "SET", key, THEIRS),
    "expired": lambda server, key: call(server, "PEXPIRE", key, 0),
    "trimmed": lambda server, key: call(server, "XTRIM", key, "MAXLEN", 0),
}
CASES = [
    (program, way, ("valkey9", "redis7")[number % 2])
    for program in ("server-a", "server-b")
    for number, way in enumerate(WAYS)
]

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("program", "way", "server_kind"), CASES, indirect=["server_kind"])
def test_what_somebody_does_to_a_key_of_ours_is_mended_or_told(
    *, program: str, way: str, server_kind: Kind, own_server: Server, tmp_path: Path
) -> None:
    scenario = SCENARIOS["new run"] if program == "server-a" else READING
    met = set()
    with command_stage(own_server, tmp_path / "state") as stage:
        sent = stage.link.sent[-sum(scenario.begin(stage).values()) :]
        for kind in KINDS if way != "trimmed" else ("signals", "dead_letters"):
            drawn = random.Random(f"{SEED}-{program}-{way}-{kind}")
            for place in drawn.sample(range(len(sent)), MOMENTS[program]):
                command, nth = sent[place], sent[: place + 1].count(sent[place])
                try:
                    key = _meet(stage, scenario, way, _touching(stage, way, kind, drawn), (command, nth))
                    met |= {kind} if key else set()
                except BaseException as error:
                    error.add_note(f"{kind} {way}, {command} {nth}")
                    raise
    assert len(met) >= (6 if way != "trimmed" else 1)


def _touching(stage: CommandStage, way: str, kind: str, drawn: random.Random) -> Callable[[], bytes]:
    """Return what does this to one of the keys of a kind, and returns that key; empty where there is none."""

    def touch() -> bytes:
        found = sorted(key for key in call(stage.server, "KEYS", "*") if stage.keys.kind_of(key.decode()) == kind)
        if not found:
            return b""
        key: bytes = drawn.choice(found)
        WAYS[way](stage.server, key)
        return key

    return touch


def _meet(
    stage: CommandStage, scenario: Scenario, way: str, touch: Callable[[], bytes], moment: tuple[str, int]
) -> bytes:
    """Carry a hand-over out, and to its end, in which this happens at a moment; return the key that was touched."""
    touched = [b""]
    stage.restore()
    stage.link.act(lambda: touched.append(touch()), *moment)
    ends = stage.hand_over()
    code, said = end_of(lambda: scenario.work(stage, ends))
    assert code in CODES, f"{code} {said}"
    # the name of a staging key holds a token that nobody else can have
    if way == "replaced" and touched[-1] and b":staging:" not in touched[-1]:
        assert call(stage.server, "GET", touched[-1]) == THEIRS
        call(stage.server, "DEL", touched[-1])
    run_id = stage.finish(stage.run_id or carried_on(stage, ends, code))
    stage.require_exact(run_id, is_strict=False)
    return touched[-1]
