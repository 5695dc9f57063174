"""Round trips and connections of both programs, counted from outside: on a long link they decide the time.

The bounds are the design's, or less where that was reached. A test that fails prints every connection with its turns,
to show which of them grew.
"""

from __future__ import annotations

import os
import socket
import textwrap
from pathlib import Path
from typing import Any

import pytest
import redis

from demo.servers import Server
from server_a.run.writers import tasks_each
from shared.check.link import LEAST_TURNS
from tests.stage.certificates import Authority
from tests.stage.faulty_link import FaultyLink
from tests.stage.programs import Name, StartProgram, run_program
from tests.stage.rounds import RoundCounter
from tests.stage.runs import consume, produce, require_exact
from tests.stage.servers import NewServer
from tests.stage.turns import LONG_QUIET_S, QUIET_S, TurnCounter
from tests.stage.waiting import wait_until

MAX_TURNS: dict[Name, int] = {"server-a": 14, "server-b": 17}
# For a run of 10,000 values: both programs together. For a run of many segments: each program, since connections are
# kept from one segment to the next; a program needs one for each thing it does at the same time, not for each segment.
MAX_CONNECTIONS = 10
# Each segment under way may need one, the story does, and who finds out first what the server is.
MAX_CONNECTIONS_OF_MANY: dict[Name, int] = {"server-a": tasks_each(1_000) + 3, "server-b": MAX_CONNECTIONS}
# A segment of a long run: 0.7 and 3 on an idle machine; a busy one may let a client send in two parts.
MAX_ROUNDS_EACH: dict[Name, float] = {"server-a": 1.2, "server-b": 3.9}
CLAIM_IDLE_MS = 300
FIFTY_SEGMENTS = ("--count", "50000", "--segment-values", "1000")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority of the test's own."""
    return Authority(tmp_path)


@pytest.fixture
def tls_server(authority: Authority, new_server: NewServer) -> Server:
    """A server whose certificate names the address of the relay too."""
    return new_server("redis7", *authority.directives(authority.issue("server", "127.0.0.1")), tls=True)


def counted(server: Server, *options: str, tls_ca: Path | None = None, quiet_s: float = 0.0) -> dict[Name, TurnCounter]:
    """Hand a run over, B started after A has ended, and return what passed between each program and the server."""
    trust = ("--tls-ca", str(tls_ca)) if tls_ca else ()
    counters: dict[Name, TurnCounter] = {}
    answers: list[Any] = []
    for program in MAX_TURNS:
        with TurnCounter(server.port, quiet_s=quiet_s) as counter:
            url = counter.url.replace("redis://", "rediss://") if tls_ca else counter.url
            answers.append(produce(url, *options, *trust) if program == "server-a" else consume(url, *trust))
        counters[program] = counter
    require_exact(*answers)
    return counters


def shown(counters: dict[Name, TurnCounter]) -> str:
    """Return the bounds and all that was counted, as the message of a test that fails."""
    bounds = f"expected at most {MAX_CONNECTIONS} connections, and for 10,000 values at most {MAX_TURNS} turns, got"
    return "\n".join([bounds, *(f"{program}: {counter}" for program, counter in counters.items())])


def test_a_turn_is_all_that_a_client_sends_without_an_answer(server: Server) -> None:
    ping = b"*1\r\n$4\r\nPING\r\n"
    with TurnCounter(server.port, quiet_s=QUIET_S) as counter:
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", counter.port)) as client:
                # As redis-py does; else the second PING waits in the client's kernel for the first one's ACK.
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for _ in range(2):
                    client.sendall(ping)
                    client.sendall(ping)
                    assert client.recv(14, socket.MSG_WAITALL) == b"+PONG\r\n" * 2
    assert (counter.connections, counter.turns, counter.times("PING")) == (2, 4, 4), str(counter)
    assert counter.carried == {"to_server": 8 * len(ping), "to_client": 8 * 7}


def test_a_small_run_takes_few_round_trips_and_connections(own_server: Server) -> None:
    counters = counted(own_server, quiet_s=LONG_QUIET_S)
    assert all(counter.turns <= MAX_TURNS[program] for program, counter in counters.items()), shown(counters)
    assert sum(counter.connections for counter in counters.values()) <= MAX_CONNECTIONS, shown(counters)


def test_a_small_run_waits_for_as_many_round_trips_as_check_says_at_least(own_server: Server) -> None:
    """Fewer call for a smaller figure there."""
    rounds = rounds_of(own_server, 1)
    assert all(waited >= LEAST_TURNS[program] for program, waited in rounds.items()), rounds


def test_a_segment_takes_few_round_trips_one_after_the_other(own_server: Server) -> None:
    """What bounds a run of small segments over a far link: what passes beside each other counts once."""
    few, many = (rounds_of(own_server, segments) for segments in (4, 20))
    each = {program: (many[program] - few[program]) / 16 for program in MAX_ROUNDS_EACH}
    assert all(each[program] <= most for program, most in MAX_ROUNDS_EACH.items()), f"{few} and {many}: {each}"


def rounds_of(server: Server, segments: int) -> dict[Name, int]:
    """Hand a run of so many segments over, and return the round trips that each program waited for."""
    count = ("--count", f"{segments * 1000}", "--segment-values", "1000")
    rounds: dict[Name, int] = {}
    with RoundCounter(server.port, quiet_s=QUIET_S) as link_a:
        summary = produce(link_a.url, *count)
    with RoundCounter(server.port, quiet_s=QUIET_S) as link_b:
        require_exact(summary, consume(link_b.url))
    rounds["server-a"], rounds["server-b"] = link_a.rounds, link_b.rounds
    return rounds


@pytest.mark.redis_server
def test_a_small_run_over_tls_takes_few_connections(tls_server: Server, authority: Authority) -> None:
    counters = counted(tls_server, tls_ca=authority.file)
    assert sum(counter.connections for counter in counters.values()) <= MAX_CONNECTIONS, shown(counters)


def test_many_segments_take_no_more_connections(own_server: Server) -> None:
    require_few_connections(counted(own_server, *FIFTY_SEGMENTS))


@pytest.mark.redis_server
def test_many_segments_over_tls_take_no_more_connections(tls_server: Server, authority: Authority) -> None:
    require_few_connections(counted(tls_server, *FIFTY_SEGMENTS, tls_ca=authority.file))


def require_few_connections(counters: dict[Name, TurnCounter]) -> None:
    """Check that no program opened more than it needs at the same time."""
    most = MAX_CONNECTIONS_OF_MANY
    assert all(counter.connections <= most[program] for program, counter in counters.items()), f"{most}: {counters}"


def test_waiting_opens_no_connections(own_server: Server, start_program: StartProgram) -> None:
    with TurnCounter(own_server.port) as counter:
        start_program("server-b", "run", server=counter.url)
        wait_until(lambda: counter.times("XREADGROUP") >= 3, description="B waits for signals")
        before = counter.connections
        # A block takes a second at most; six are enough to see what B does every five seconds while it waits.
        wait_until(lambda: counter.times("XREADGROUP") >= 9, description="B has waited six times")
        assert counter.connections == before, str(counter)


def _idle_ms(client: redis.Redis) -> int:
    pending: Any = client.xpending_range("signals", "server-b", "-", "+", 1)
    return int(pending[0]["time_since_delivered"])


@pytest.mark.parametrize("spared_text", [b"", b"WATCH"], ids=["all", "all_but_the_watching_one"])
def test_connections_that_are_cut_while_a_list_is_read_cost_no_verdict(own_server: Server, spared_text: bytes) -> None:
    """Servers and proxies cut connections that are idle while a long list is read; B may use one delivery only.

    The reading is held up until B renews its lease, for which it opens a third connection.
    """
    summary = produce(own_server.url, "--count", "1000000")
    with redis.Redis.from_url(own_server.url) as client, FaultyLink(own_server.port) as link:

        def wait_until_silent() -> None:
            wait_until(lambda: _idle_ms(client) > CLAIM_IDLE_MS, description="nothing was heard of the entry for long")

        link.at(b"LRANGE", wait_until_silent, nth=30)
        link.at(b"EVAL", lambda: link.cut_others(b"LRANGE", nth=5, spared_text=spared_text))
        report = consume(link.url, "--max-deliveries", "1", "--claim-idle-ms", str(CLAIM_IDLE_MS))
    assert link.cuts > 0
    require_exact(summary, report)
    status = run_program("server-b", "status", "--json", server=own_server)
    assert status.exit_code == 0, status.stderr
    found = status.json()
    assert (found["runs"][0]["verdicts"], found["group"]["pending"], found["dead_letters"]) == (1, 0, 0)


# The text of a `sitecustomize` module, which Python imports at the start of a process.
COUNTS_CONTEXTS = """
    import os
    import ssl

    make = ssl.SSLContext.__new__

    def make_and_count(cls, *arguments, **options):
        with open(os.path.join({directory!r}, str(os.getpid())), "a") as file:
            file.write("made\\n")
        return make(cls, *arguments, **options)

    ssl.SSLContext.__new__ = staticmethod(make_and_count)
"""


@pytest.mark.redis_server
@pytest.mark.parametrize("program", MAX_TURNS)
def test_a_process_makes_one_tls_context(
    program: Name, tls_server: Server, authority: Authority, tmp_path: Path
) -> None:
    """Each context may read the system's certificates, 60 ms of CPU."""
    modules, made = tmp_path / "modules", tmp_path / "made"
    modules.mkdir()
    made.mkdir()
    (modules / "sitecustomize.py").write_text(textwrap.dedent(COUNTS_CONTEXTS.format(directory=str(made))))
    path = os.pathsep.join(filter(None, [str(modules), os.environ.get("PYTHONPATH")]))
    trust = ("--tls-ca", str(authority.file))
    once = ("--once",) if program == "server-b" else ()
    if program == "server-b":
        produce(tls_server.url, *trust, "--count", "5000", "--segment-values", "1000")
    ended = run_program(program, "run", *once, *trust, server=tls_server, env={"PYTHONPATH": path})
    assert ended.exit_code == 0, ended.stderr
    assert [file.read_text().count("made") for file in made.iterdir()] == [1]
