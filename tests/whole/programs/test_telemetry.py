"""What both programs send to a receiver of OpenTelemetry: one trace a run, and metrics that say what --json says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink
from tests.stage.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.stage.programs import Finished, StartProgram, run_program
from tests.stage.victims import Victim

if TYPE_CHECKING:
    import redis

RUN = ("run", "--count", "10000", "--segment-values", "4000", "--json")
ONCE = ("run", "--once", "--wait-s", "30", "--json")
BYTES = sum(len(str(number)) for number in range(1, 10_001))


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A receiver that takes everything."""
    with otlp_receiver() as opened:
        yield opened


def sums(receiver: OtlpReceiver, service: str, *names: str) -> list[float]:
    """Return the sums of metrics of ours."""
    return [receiver.total(service, f"handover.{name}") for name in names]


def require_sums_of_a(receiver: OtlpReceiver, *runs: dict[str, Any]) -> None:
    """Check that A's metrics are the sums of what its runs printed."""
    names = ("attempts", "values.lost", "segments.rewritten", "outages", "outage.time")
    fields = ("attempts", "lost_acknowledged", "segments_rewritten", "outages", "outage_s")
    wanted = [sum(run[field] for run in runs) for field in fields]
    assert sums(receiver, "server-a", *names) == pytest.approx(wanted, abs=0.001)
    written = sum(run["count"] + run["lost_acknowledged"] for run in runs)
    assert sums(receiver, "server-a", "values.written") == [written]


def require_sums_of_b(receiver: OtlpReceiver, report: dict[str, Any], *, read: int, **verdicts: int) -> None:
    """Check that B's metrics are the sums of what it printed of its run."""
    wanted = [read, report["segments"], report["outages"], report["outage_s"]]
    names = ("values.read", "segments.examined", "outages", "outage.time")
    assert sums(receiver, "server-b", *names) == pytest.approx(wanted, abs=0.001)
    for verdict, number in verdicts.items():
        assert receiver.total("server-b", "handover.segments.examined", handover__verdict=verdict) == number
    (_, lag), *others = receiver.points("server-b", "handover.lag")
    assert not others
    assert (lag.count, lag.max) == (report["segments"], report["lag_ms"] / 1_000)


def require_one_trace(receiver: OtlpReceiver) -> None:
    """Check that every span belongs to one trace, whose root is A's run, and every delivery names its send."""
    (run,) = receiver.named("run")
    assert {span.trace_id for span in receiver.spans} == {run.trace_id}
    by_id = {span.span_id: span for span in receiver.spans}
    segments = receiver.named("segment")
    assert segments
    assert {span.parent_id for span in segments} == {run.span_id}
    sends = {span.attributes["messaging.message.id"]: span for span in receiver.named("send signals")}
    for send in sends.values():
        assert (send.kind, by_id[send.parent_id].name) == (4, "segment")
    for process in receiver.named("process signals"):
        send = sends[process.attributes["messaging.message.id"]]
        assert (process.kind, process.links) == (5, [(run.trace_id, send.span_id)])
        assert process.parent_id == send.span_id
    for settle in receiver.named("settle signals"):
        assert (settle.kind, by_id[settle.parent_id].name) == (3, "process signals")


def both(server: Server, namespace: str, receiver: OtlpReceiver) -> tuple[Finished, Finished]:
    """Hand over with both programs."""
    a = run_program("server-a", *RUN, server=server, namespace=namespace, env=receiver.env)
    b = run_program("server-b", *ONCE, server=server, namespace=namespace, env=receiver.env)
    return a, b


def test_one_trace_goes_from_the_run_to_the_verdict(
    server: Server, namespace: str, receiver: OtlpReceiver, client: redis.Redis, keys: Keyspace
) -> None:
    a, b = both(server, namespace, receiver)
    assert (a.exit_code, b.exit_code) == (0, 0), a.stderr + b.stderr
    require_one_trace(receiver)
    require_sums_of_a(receiver, a.json())
    require_sums_of_b(receiver, b.json(), read=10_000, verified=3, failed=0)
    assert sums(receiver, "server-a", "data.written") == sums(receiver, "server-b", "data.read") == [BYTES]
    assert receiver.total("server-a", "messaging.client.sent.messages") == 3
    assert receiver.total("server-b", "messaging.client.consumed.messages") == 3
    assert sums(receiver, "server-b", "pending", "claims", "dead_letters") == [0, 0, 0]
    assert [span.name for span in receiver.named("run") if span.is_error] == []
    verdicts = [span.attributes["handover.verdict"] for span in receiver.named("process signals")]
    assert verdicts == ["verified"] * 3
    entries: Any = client.xrange(keys.signals())
    spelled = {f"00-{span.trace_id}-{span.span_id}".encode() for span in receiver.named("send signals")}
    assert {fields[b"traceparent"][:-3] for _, fields in entries} == spelled  # without its flags


def test_log_lines_name_the_trace(valkey9: Server, namespace: str, receiver: OtlpReceiver) -> None:
    a, b = both(valkey9, namespace, receiver)
    (run,) = receiver.named("run")
    lines = [json.loads(line) for line in a.stderr.splitlines() + b.stderr.splitlines()]
    of_trace = {line["event"]: line for line in lines if line.get("trace_id") == run.trace_id}
    assert {"run started", "run finished", "run complete"} <= of_trace.keys()
    assert of_trace["run started"]["span_id"] == run.span_id
    assert of_trace["run complete"]["span_id"] in {span.span_id for span in receiver.named("process signals")}
    assert "trace_id" not in next(line for line in lines if line["event"] == "waiting for signals")


def test_a_failed_verdict(
    server: Server, namespace: str, receiver: OtlpReceiver, client: redis.Redis, keys: Keyspace
) -> None:
    a = run_program("server-a", *RUN, server=server, namespace=namespace, env=receiver.env)
    client.lset(keys.segment(2), 5, "other")
    b = run_program("server-b", *ONCE, server=server, namespace=namespace, env=receiver.env)
    assert (a.exit_code, b.exit_code) == (0, 65)
    require_one_trace(receiver)
    require_sums_of_b(receiver, b.json(), read=10_000, verified=2, failed=1)
    (failed,) = [span for span in receiver.named("process signals") if span.is_error]
    assert failed.attributes["handover.segment"] == 2
    assert failed.attributes["error.type"] == "verification_failed"


def test_what_a_killed_consumer_held_is_linked_again(
    *, server: Server, namespace: str, receiver: OtlpReceiver, link: FaultyLink, start_program: StartProgram
) -> None:
    a = run_program("server-a", *RUN, server=server, namespace=namespace, env=receiver.env)
    victim = Victim()
    link.at(b"XACK", victim.kill, nth=2, is_forwarded=False)
    victim.program = start_program("server-b", *ONCE, server=link.url, namespace=namespace, env=receiver.env)
    victim.program.wait(60)
    link.close()
    again = (*ONCE, "--claim-idle-ms", "100")
    b = run_program("server-b", *again, server=server, namespace=namespace, env=receiver.env)
    assert b.exit_code == 0, b.stderr
    require_one_trace(receiver)
    require_sums_of_a(receiver, a.json())
    claimed = [span for span in receiver.named("process signals") if span.attributes["handover.is_claimed"]]
    assert claimed
    assert {span.attributes["handover.deliveries"] for span in claimed} == {2}
    assert sums(receiver, "server-b", "claims") == [len(claimed)]
    assert receiver.total("server-b", "handover.pending") == 0


def test_a_delivery_that_a_lost_connection_ended_has_a_span_and_a_link(
    *, server: Server, namespace: str, receiver: OtlpReceiver, link: FaultyLink
) -> None:
    run_program("server-a", *RUN, server=server, namespace=namespace, env=receiver.env)
    link.at(b"LRANGE", link.cut)
    b = run_program("server-b", *ONCE, server=link.url, namespace=namespace, env=receiver.env)
    assert (b.exit_code, b.json()["outages"] > 0) == (0, True), b.stderr
    require_one_trace(receiver)
    require_sums_of_b(receiver, b.json(), read=10_000, verified=3)
    first, again, *_ = receiver.named("process signals")
    assert first.attributes["messaging.message.id"] == again.attributes["messaging.message.id"]
    assert (first.is_error, first.attributes["error.type"]) == (True, "TransientError")
    assert (first.links, again.is_error, again.attributes["handover.verdict"]) == (again.links, False, "verified")


def test_an_outage_of_the_producer(*, server: Server, namespace: str, receiver: OtlpReceiver, link: FaultyLink) -> None:
    link.at(b"LPUSHX", link.cut, nth=2)
    a = run_program("server-a", *RUN, server=link.url, namespace=namespace, env=receiver.env)
    assert (a.exit_code, a.json()["outages"] > 0) == (0, True), a.stderr
    assert a.json()["attempts"] > 3
    require_sums_of_a(receiver, a.json())
    lost = [span for span in receiver.named("segment") if span.is_error]
    assert len(lost) == a.json()["attempts"] - 3
    assert "TransientError" in {span.attributes["error.type"] for span in lost}


def test_acknowledged_values_that_were_lost_are_counted(
    *, server: Server, namespace: str, receiver: OtlpReceiver, link: FaultyLink, client: redis.Redis, keys: Keyspace
) -> None:
    link.at(b"XADD", lambda: client.delete(keys.segment(1)))
    a = run_program("server-a", *RUN, server=link.url, namespace=namespace, env=receiver.env)
    assert (a.exit_code, a.json()["lost_acknowledged"]) == (0, 4_000), a.stderr
    require_sums_of_a(receiver, a.json())


def test_one_trace_for_each_run_of_every(
    valkey9: Server, namespace: str, receiver: OtlpReceiver, start_program: StartProgram
) -> None:
    served = start_program("server-b", "run", server=valkey9, namespace=namespace, env=receiver.env)
    arguments = ("run", "--count", "100", "--every", "0", "--json")
    program = start_program("server-a", *arguments, server=valkey9, namespace=namespace, env=receiver.env)
    receiver.wait_for("await verdict", 3)
    for each in (program, served):
        each.send(15)
        each.wait(60)
    *runs, last = [json.loads(line) for line in program.output().splitlines()]
    traces, stopped = len({span.trace_id for span in receiver.named("run")}), last["runs"] - len(runs)
    assert stopped in (0, 1)  # the last one, at whatever moment
    assert traces in (len(runs), last["runs"])
    assert len(runs) <= receiver.total("server-a", "handover.attempts") <= last["runs"]
    assert 100 * len(runs) <= receiver.total("server-a", "handover.values.written") <= 100 * last["runs"]
    assert receiver.total("server-b", "handover.segments.examined", handover__verdict="verified") >= last["verified"]


def test_writer_processes_send_nothing_themselves(valkey9: Server, namespace: str, receiver: OtlpReceiver) -> None:
    arguments = (*RUN, "--writers", "2")
    a = run_program("server-a", *arguments, server=valkey9, namespace=namespace, env=receiver.env)
    assert (a.exit_code, a.json()["writers"]) == (0, 2), a.stderr
    require_sums_of_a(receiver, a.json())
    assert len({resource["service.instance.id"] for resource in receiver.resources}) == 1
    assert len(receiver.named("segment")) == 3


def test_an_entry_that_is_no_signal(
    server: Server, namespace: str, receiver: OtlpReceiver, client: redis.Redis, keys: Keyspace
) -> None:
    run_program("server-a", *RUN, server=server, namespace=namespace, env=receiver.env)
    client.xadd(keys.signals(), {"secret-field": "secret-value", "traceparent": "x" * 100})
    b = run_program(
        "server-b",
        *ONCE,
        "--run",
        "20200101T000000000Z-000000",
        "--wait-s",
        "1",
        server=server,
        namespace=namespace,
        env=receiver.env,
    )
    assert b.exit_code == 75
    assert sums(receiver, "server-b", "dead_letters") == [1]
    (dead,) = [span for span in receiver.named("process signals") if span.is_error]
    assert (dead.links, dead.parent_id, dead.attributes["error.type"]) == ([], "", "dead_letter")
    assert not [body for body in receiver.bodies if b"secret" in body]


def test_service_names_and_resources_are_the_users(valkey9: Server, namespace: str, receiver: OtlpReceiver) -> None:
    env = {**receiver.env, "OTEL_SERVICE_NAME": "mine", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test"}
    a = run_program("server-a", *RUN, server=valkey9, namespace=namespace, env=env)
    assert a.exit_code == 0
    assert {resource["service.name"] for resource in receiver.resources} == {"mine"}
    assert {resource["deployment.environment.name"] for resource in receiver.resources} == {"test"}
    assert re.fullmatch("[0-9a-f-]{36}", receiver.resources[0]["service.instance.id"])
