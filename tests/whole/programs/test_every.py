"""`server-a run --every`: again and again, over failures and outages, with counts as its last line."""

from __future__ import annotations

import json
import signal
from collections import Counter
from functools import partial
from typing import Any

import pytest

from demo.processes import Program
from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.hand_over_by_programs import lines_of
from tests.stage.programs import StartProgram, run_program
from tests.stage.raw import call
from tests.stage.runs import require_one_sentence
from tests.stage.servers import NewServer, connect
from tests.stage.waiting import wait_until

EVERY = ("run", "--json", "--count", "100")
FIELDS = ["runs", "verified", "failed", "superseded", "none", "outages", "outage_s", "lag_ms", "hand_over_s"]
VERDICTS = FIELDS[1:5]


def ended(program: Program, code: int = 0) -> Any:
    """Stop a program, and return its last line."""
    program.send(signal.SIGTERM)
    assert program.wait(60) == code, program.errors()
    return last_line(program.output())


def last_line(output: str) -> Any:
    """Return the counts, which agree with one another."""
    found = json.loads(output.splitlines()[-1])
    assert list(found) == FIELDS
    assert found["runs"] == sum(found[verdict] for verdict in VERDICTS)
    return found


def test_each_run_is_verified_and_the_last_line_counts_them(own_server: Server, start_program: StartProgram) -> None:
    consumer = start_program("server-b", "run", "--json", server=own_server)
    producer = start_program("server-a", *EVERY, "--every", "0", server=own_server)
    wait_until(lambda: len(lines_of(producer)) >= 4, description="four runs were handed over", timeout_s=60)
    found = ended(producer)
    runs = [json.loads(line)["run_id"] for line in producer.output().splitlines()[:-1]]
    wait_until(lambda: len(lines_of(consumer)) >= found["verified"], description="B has reported them")
    assert found["verified"] >= 3
    assert found["none"] <= 1, "the run that was under way when the stop came"
    assert runs == sorted(set(runs))
    for times in (found["lag_ms"], found["hand_over_s"]):
        assert 0 <= times["p50"] <= times["p95"] <= times["p99"] <= times["max"]
    assert (found["outages"], found["outage_s"]) == (0, 0)


def test_the_text_for_people_ends_with_the_same_line(own_server: Server, start_program: StartProgram) -> None:
    arguments = ("run", "--count", "100", "--every", "0", "--await-verdict-s", "0")
    producer = start_program("server-a", *arguments, server=own_server)
    wait_until(lambda: producer.output().count("Signalled run") >= 2, description="two runs", timeout_s=60)
    found = ended(producer)
    assert (found["none"], found["lag_ms"], found["hand_over_s"]) == (found["runs"], None, None)
    assert "server-b's verdict: none." in producer.output()


def test_a_server_that_goes_away_and_comes_back(new_server: NewServer, start_program: StartProgram) -> None:
    server = new_server("valkey9")
    start_program("server-b", "run", "--json", server=server)
    arguments = (*EVERY, "--every", "0.1", "--patience-s", "0.2", "--await-verdict-s", "60")
    producer = start_program("server-a", *arguments, server=server)
    wait_until(lambda: lines_of(producer), description="the first run has its verdict", timeout_s=60)
    server.end(signal.SIGKILL)
    wait_until(
        lambda: producer.errors().count("run not finished") >= 3, description="three found no server", timeout_s=60
    )
    server.start()
    before = len(lines_of(producer))
    wait_until(lambda: len(lines_of(producer)) > before, description="it goes on", timeout_s=60)
    found = ended(producer)
    assert found["verified"] >= 2
    assert found["none"] >= 3
    assert found["outages"] >= 1
    assert found["outage_s"] > 0


def test_no_server_from_the_start_is_no_end_either(new_server: NewServer, start_program: StartProgram) -> None:
    server = new_server("valkey9")
    server.end(signal.SIGKILL)
    producer = start_program("server-a", *EVERY, "--every", "0.05", "--await-verdict-s", "0", server=server)
    wait_until(
        lambda: producer.errors().count("run not finished") >= 2, description="two found no server", timeout_s=60
    )
    server.start()
    wait_until(lambda: lines_of(producer), description="a run was written", timeout_s=60)
    assert ended(producer)["outages"] == 1


def _has_signals(server: Server, number: int) -> bool:
    return bool(call(server, "XLEN", "signals") >= number)


def test_failed_and_superseded_runs_are_counted(own_server: Server, start_program: StartProgram) -> None:
    """Verdicts as a server-b would write them, by hand: every second run failed, then superseded."""
    keys, verdicts = Keyspace(), ("failed", "superseded")
    producer = start_program("server-a", *EVERY, "--every", "0", server=own_server)
    for number in range(4):
        wait_until(partial(_has_signals, own_server, number + 1), description="a run was signalled", timeout_s=60)
        fields = call(own_server, "XREVRANGE", "signals", "+", "-", "COUNT", 1)[0][1]
        signalled = {name.decode(): value.decode() for name, value in zip(fields[::2], fields[1::2], strict=True)}
        verdict = {name: signalled[name] for name in ("attempt", "digest")} | {
            "verdict": verdicts[number % 2], "segment": 1, "segments": 1, "count": 100, "reason": "as told",
            "first": [], "last": None, "lag_ms": 5, "started_us": 1, "ended_us": 2, "consumer": "c", "taken_ms": 1,
            "deliveries": 1, "claimed_from": "", "outages": [], "witness": None,
        }  # fmt: skip
        call(own_server, "HSET", keys.result(signalled["run_id"]), 1, json.dumps(verdict))
    wait_until(lambda: producer.errors().count("run not verified") >= 4, description="four were counted", timeout_s=60)
    found = ended(producer)
    assert (found["failed"], found["superseded"]) == (2, 2)
    assert abs(found["lag_ms"]["max"] - 5) < 0.2


@pytest.mark.parametrize("code", [2, 77, 78])
def test_what_waiting_does_not_mend_ends_it(own_server: Server, tmp_path: Any, code: int) -> None:
    options: tuple[str, ...] = ("--await-verdict-s", "0")
    url = own_server.url
    if code == 2:
        options += ("--values", str(tmp_path / "none"))
    elif code == 77:
        url = url.replace("redis://", "redis://nobody:wrong@")
    else:
        call(own_server, "SET", "signals", "somebody else's")
    done = run_program("server-a", "run", "--every", "0", *options, server=url)
    assert done.exit_code == code, done
    assert last_line(done.stdout)["runs"] == 0


@pytest.mark.parametrize("options", [("--resume", "20261122T205801123Z-3f9a1c"), ("--values", "-")])
def test_not_with_a_run_to_resume_nor_with_standard_input(own_server: Server, options: tuple[str, ...]) -> None:
    done = run_program("server-a", "run", "--every", "1", *options, server=own_server, stdin=b"one\n")
    require_one_sentence(done, 2, "--every", f"not together with {options[0]}")


def test_the_newest_thousand_runs_are_kept(own_server: Server, start_program: StartProgram) -> None:
    """A thousand older runs of --every, made by hand, of which as many go as new ones come; others' stay."""
    keys = Keyspace()
    client = connect(own_server)
    pipeline = client.pipeline(transaction=False)
    for number in range(1_000):
        run_id = f"20251122T2058{number // 60:02d}{number % 60:03d}Z-3f9a1c"
        command = "server-a run --count 1" if number < 2 else "server-a run --every 5 --count 1"
        fields: dict[Any, Any] = {"schema_version": 1, "run_id": run_id, "command": command}
        pipeline.hset(keys.run(run_id), mapping=fields)
        signal_fields: dict[Any, Any] = {
            "schema_version": 1,
            "run_id": run_id,
            "attempt": run_id,
            "segment": 1,
            "segments": 1,
        }
        pipeline.xadd(keys.signals(), signal_fields | {"count": 1, "digest": "0" * 32})
    pipeline.execute()
    arguments = (*EVERY, "--every", "0", "--await-verdict-s", "0")
    producer = start_program("server-a", *arguments, server=own_server)
    wait_until(lambda: len(lines_of(producer)) >= 5, description="five runs were written", timeout_s=60)
    runs = ended(producer)["runs"]
    stopped = runs - len(lines_of(producer)[:-1])  # in its midst: its record is kept, since it can be resumed
    commands: list[Any] = [client.hget(key, "command") or b"" for key in set(client.scan_iter("run:*"))]
    kinds = Counter(command.startswith(b"server-a run --every ") for command in commands)
    assert kinds[False] == 2, "records of other runs are nobody's to remove"
    assert stopped in (0, 1)
    assert 998 <= kinds[True] <= 1_000 + stopped, f"{runs} runs were added to 1,000"
