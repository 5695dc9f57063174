"""SIGKILL at chosen moments: A is resumed, a second B takes over, nothing is lost and nothing is there twice.

The link kills the program when a certain request comes from it. `arrived` says whether that request still reaches the
server, as when a host dies right after sending, or not.
"""

from __future__ import annotations

import signal
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from shared.errors import InvalidInputError
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_by_programs import assert_exact, lines_of, resume, run_id_in_log, verify
from tests.stage.hand_over_in_process import HandOver
from tests.stage.programs import StartProgram
from tests.stage.victims import Victim

if TYPE_CHECKING:
    import redis

COUNT = 60_000
RUN = ("run", "--count", str(COUNT), "--segment-values", "25000", "--json")
# Half of the cases on one server, half on the other.
CASES = [("valkey9", True), ("redis7", False)]
# Requests of A, in the order of its run: the look at the shop, the record, the shop.
MOMENTS_OF_A = [
    (b"sku:", 1), (b"HSETNX", 1), (b"first_name", 1), (b"\nEXPIRE", 1), (b"LPUSHX", 3), (b"WATCH", 1), (b"RENAME", 1),
    (b"XADD", 1), (b"signal:1", 1), (b"LPUSHX", 30), (b"RENAME", 3), (b"XADD", 3), (b"XRANGE", 1), (b"biglist:99", 4),
    (b"finished_ms", 2),
]  # fmt: skip
# Requests of B, in the order of its run.
MOMENTS_OF_B = [
    (b"XGROUP", 1), (b"XREADGROUP", 1), (b"XREADGROUP", 2), (b"LRANGE", 1), (b"LRANGE", 20), (b"WATCH", 2),
    (b"XACK", 1), (b"LRANGE", 40), (b"WATCH", 6), (b"XACK", 3), (b":cart:1", 1), (b"DELCONSUMER", 1),
]  # fmt: skip


@pytest.fixture
def victim() -> Victim:
    return Victim()


@pytest.mark.parametrize(("request_text", "nth"), MOMENTS_OF_A)
@pytest.mark.parametrize(("server_kind", "arrived"), CASES, indirect=["server_kind"])
def test_a_run_whose_producer_was_killed_is_resumed(
    *,
    request_text: bytes,
    nth: int,
    arrived: bool,
    hand_over: HandOver,
    namespace: str,
    link: FaultyLink,
    victim: Victim,
    start_program: StartProgram,
    client: redis.Redis,
    keys: Keyspace,
) -> None:
    link.at(request_text, victim.kill, nth=nth, is_forwarded=arrived)
    victim.program = start_program("server-a", *RUN, server=link.url, namespace=namespace)
    assert victim.program.wait(60) == 128 + signal.SIGKILL, victim.program.errors()
    link.close()  # what it had sent has been carried out now
    run_id = run_id_in_log(victim.program)
    if not client.exists(keys.run(run_id)):
        assert request_text == b"sku:" or (request_text, arrived) == (b"HSETNX", False)
        with pytest.raises(InvalidInputError):
            hand_over.produce(resume=run_id)
        return
    summary = hand_over.produce(resume=run_id)
    report = hand_over.consume(run_id=run_id)
    assert_exact(client, keys, asdict(summary), report.as_json(), count=COUNT)
    assert summary.shop_kept == 0, "the run's own records"


@pytest.mark.parametrize(("request_text", "nth"), MOMENTS_OF_B)
@pytest.mark.parametrize(("server_kind", "arrived"), CASES, indirect=["server_kind"])
def test_what_a_killed_consumer_held_is_finished_by_another(
    *,
    request_text: bytes,
    nth: int,
    arrived: bool,
    hand_over: HandOver,
    namespace: str,
    link: FaultyLink,
    victim: Victim,
    start_program: StartProgram,
    client: redis.Redis,
    keys: Keyspace,
) -> None:
    summary = hand_over.produce(count=COUNT, segment_values=25_000)
    link.at(request_text, victim.kill, nth=nth, is_forwarded=arrived)
    victim.program = start_program("server-b", "run", "--once", "--json", server=link.url, namespace=namespace)
    assert victim.program.wait(60) == 128 + signal.SIGKILL, victim.program.errors()
    link.close()
    report = hand_over.consume(run_id=summary.run_id, claim_idle_ms=1)
    assert_exact(client, keys, asdict(summary), report.as_json(), count=COUNT)
    # Printed after the last acknowledgement, or not at all.
    assert lines_of(victim.program) == [] or request_text == b"DELCONSUMER"
    assert client.xpending(keys.signals(), "server-b")["pending"] == 0
    assert not client.exists(keys.dead_letters())


def test_a_producer_that_is_killed_again_and_again_gets_there(
    server: Server, namespace: str, start_program: StartProgram, client: redis.Redis, keys: Keyspace
) -> None:
    arguments: tuple[str, ...] = RUN
    run_id = ""
    for nth in (5, 30, 12, 24, 3, 1):
        victim = Victim()
        with FaultyLink(server.port) as link:
            link.at(b"LPUSHX", victim.kill, nth=nth)
            victim.program = start_program("server-a", *arguments, server=link.url, namespace=namespace)
            assert victim.program.wait(60) == 128 + signal.SIGKILL, victim.program.errors()
        run_id = run_id or run_id_in_log(victim.program)
        arguments = ("run", "--resume", run_id, "--json")
    summary = resume(server, namespace, run_id)
    assert_exact(client, keys, summary, verify(server, namespace, run_id), count=COUNT)
