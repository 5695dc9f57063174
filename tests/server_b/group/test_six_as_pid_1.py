"""Six containers on one host, each with its server-b as pid 1: their default names differ, and none takes another's."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.parent import ending_with_us
from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.hand_over_in_process import Group, HandOver
from tests.stage.programs import environment_of
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis

ROOT = Path(__file__).parents[3]
SIX = 6
_AS_PID_1 = ("unshare", "--pid", "--fork", "--kill-child")
_ONCE = ("run", "--once", "--json", "--wait-s", "60", "--max-deliveries", "1")


@pytest.mark.root
def test_six_as_pid_1_come_to_one_verdict(
    *, server: Server, namespace: str, hand_over: HandOver, group: Group, client: redis.Redis, keys: Keyspace
) -> None:
    """The list is away until all six are there: of one name, each would read what another one has pending."""
    summary = hand_over.produce(count=10)
    away = {key: client.dump(key) for key in (keys.segment(1), keys.state(keys.segment(1)))}
    client.delete(*away)
    environment = environment_of("server-b", server=server, namespace=namespace, env=None)
    with ExitStack() as stack:
        started = []
        for _ in range(SIX):
            one = subprocess.Popen(
                [*_AS_PID_1, sys.executable, "-m", "server_b", *_ONCE],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                preexec_fn=ending_with_us(),  # noqa: PLW1509 - one system call, and no thread starts programs
            )
            stack.enter_context(one)
            stack.callback(one.kill)
            started.append(one)
        wait_until(lambda: len(group.names()) == SIX, description="all six are in the group", timeout_s=60)
        assert len({name.rsplit("-", 1)[0] for name in group.names()}) == 1, "host and pid are the same"
        for key, dumped in away.items():
            client.restore(key, 0, dumped)  # type: ignore[arg-type]
        ends = [one.communicate(timeout=60) for one in started]
    assert [one.returncode for one in started] == [0] * SIX, ends
    assert all(f'"run_id": "{summary.run_id}", "verdict": "verified"' in output for output, _ in ends)
    assert client.xlen(keys.dead_letters()) == 0
