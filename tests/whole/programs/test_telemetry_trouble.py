"""A receiver that is away, refuses or hangs costs neither program its result, and one warning says that it is lost."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from demo.servers import Server
from tests.stage.faulty_link import FaultyLink
from tests.stage.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.stage.programs import Finished, StartProgram, environment_of, run_program
from tests.stage.raw import call
from tests.stage.sentences import SECRET, require_no_secret
from tests.stage.servers import NewServer
from tests.stage.victims import Victim

RUN = ("run", "--count", "10000", "--segment-values", "4000", "--json")
ONCE = ("run", "--once", "--wait-s", "30", "--json")
WARNING = "telemetry could not be sent"


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A receiver that takes everything."""
    with otlp_receiver() as opened:
        yield opened


@contextmanager
def nobody() -> Iterator[dict[str, str]]:
    """A port that nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{taken.getsockname()[1]}"}


@contextmanager
def answering(status: int | None) -> Iterator[dict[str, str]]:
    """A receiver that answers so, or never."""
    with otlp_receiver(status) as receiver:
        yield receiver.env


TROUBLE = {
    "away": (nobody, "ConnectionError"),
    "refuses": (lambda: answering(401), "HTTP status 401"),
    "is elsewhere": (lambda: answering(307), "HTTP status 307"),
    "is overloaded": (lambda: answering(503), "HTTP status 503"),
    "hangs": (lambda: answering(None), "no answer in time"),
}


@pytest.mark.parametrize("what", TROUBLE)
def test_the_result_is_the_same_and_one_warning_is_given(what: str, valkey9: Server, namespace: str) -> None:
    open_trouble, reason = TROUBLE[what]
    with open_trouble() as env:
        a = run_program("server-a", *RUN, server=valkey9, namespace=namespace, env=env)
        b = run_program("server-b", *ONCE, server=valkey9, namespace=namespace, env=env)
    assert (a.exit_code, b.exit_code) == (0, 0), a.stderr + b.stderr
    assert (a.json()["attempts"], b.json()["verdict"]) == (3, "verified")
    for ended in (a, b):
        lines = [json.loads(line) for line in ended.stderr.splitlines()]  # nothing else is said, by nobody
        warnings = [line for line in lines if line["level"] == "warning"]
        assert [line["event"] for line in warnings] == [WARNING], ended.stderr
        if what in ("away", "refuses", "is elsewhere"):  # the others may be cut while they wait
            assert warnings[0]["reason"] == reason


def test_quiet_leaves_the_warning_out(valkey9: Server, namespace: str) -> None:
    with nobody() as env:
        a = run_program("server-a", *RUN, "--quiet", server=valkey9, namespace=namespace, env=env)
    assert (a.exit_code, a.stderr) == (0, "")


def test_what_a_killed_producer_sent_can_be_read(
    *, server: Server, namespace: str, link: FaultyLink, start_program: StartProgram
) -> None:
    victim = Victim()
    with otlp_receiver() as receiver:

        def kill_when_seen() -> None:
            receiver.wait_for("segment")
            victim.kill()

        link.at(b"XRANGE", kill_when_seen)  # of the audit, when all is written
        victim.program = start_program("server-a", *RUN, server=link.url, namespace=namespace, env=receiver.env)
        assert victim.program.wait(60) == 128 + signal.SIGKILL, victim.program.errors()
        segments, sends = receiver.named("segment"), receiver.named("send signals")
        assert receiver.named("run") == []
        (root,) = {span.parent_id for span in segments}
        logged = json.loads(victim.program.errors().splitlines()[0])
        assert (logged["event"], logged["span_id"]) == ("run started", root)
        assert {span.trace_id for span in [*segments, *sends]} == {logged["trace_id"]}
        assert {span.attributes["handover.run_id"] for span in segments} == {logged["run_id"]}


def test_no_secret_no_value_and_no_name_is_sent(new_server: NewServer) -> None:
    server = new_server("valkey9")
    call(server, "CONFIG", "SET", "requirepass", SECRET)
    url = f"redis://:{SECRET}@127.0.0.1:{server.port}/0"
    with otlp_receiver() as receiver:
        env = {**receiver.env, "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {SECRET}"}
        lines = b"".join(b"value-of-line-%d\n" % number for number in range(5_000))
        values = ("run", "--values", "-", "--segment-values", "2000", "--json")
        a = run_program("server-a", *values, server=url, namespace="chosen-name", env=env, stdin=lines)
        b = run_program("server-b", *ONCE, "--consumer", "given-name", server=url, namespace="chosen-name", env=env)
        assert (a.exit_code, b.exit_code) == (0, 0), a.stderr + b.stderr
        for ended in (a, b):
            require_no_secret(Finished(ended.exit_code, b"", ended.stderr_bytes))
        sent = b"".join(receiver.bodies)
    assert sent
    for text in (SECRET, "value-of-line", "chosen-name", "given-name", "Parker", "Perry", "AirPods", "biglist"):
        assert text.encode() not in sent


# redis-py looks for these; as `prepare_import` has it, it finds none, and nothing of them is loaded
ATTEMPTED = {"opentelemetry.metrics", "opentelemetry.sdk", "opentelemetry.sdk.metrics"}


def _imported(ended: Finished) -> set[str]:
    lines = [line for line in ended.stderr.splitlines() if line.startswith("import time:")]
    return {line.split("|")[2].strip() for line in lines}


@pytest.mark.parametrize(
    "env",
    [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "TRUE"}],
    ids=["not named", "disabled"],
)
def test_nothing_is_imported_when_it_is_off(env: dict[str, str], valkey9: Server, namespace: str) -> None:
    for name, arguments in (("server-a", RUN), ("server-b", ONCE)):
        told = {**env, "PYTHONPROFILEIMPORTTIME": "1"}
        ended = run_program(name, *arguments, server=valkey9, namespace=namespace, env=told)  # type: ignore[arg-type]
        imported = _imported(ended)
        assert "shared.program.telemetry.telling" in imported
        others = {module for module in imported if module.startswith(("opentelemetry", "google.protobuf", "requests"))}
        assert others <= ATTEMPTED
        assert "shared.program.telemetry.spans" not in imported


WITHOUT = "import sys; sys.modules['opentelemetry'] = None; from {0}.__main__ import main; sys.argv[0] = '{0}'; main()"


def test_a_missing_extra_is_said_in_one_sentence(valkey9: Server, namespace: str, receiver: OtlpReceiver) -> None:
    env = environment_of("server-a", server=valkey9, namespace=namespace, env=receiver.env)
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT.format("server_a"), *RUN], env=env, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    warning, *rest = ended.stderr.splitlines()
    assert warning == (
        "server-a: warning: OTEL_EXPORTER_OTLP_ENDPOINT: expected the packages of the extra otel, got none "
        "(pip install 'redis-handover[otel]'); going on without telemetry"
    )
    assert all("trace_id" not in line for line in rest)
    assert receiver.bodies == []


@pytest.mark.parametrize(
    ("variable", "value", "part"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "expected http/protobuf, got 'grpc'"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "expected http/protobuf, got 'http/json'"),
    ],
)
def test_another_protocol_is_said_in_one_sentence(
    *, variable: str, value: str, part: str, valkey9: Server, namespace: str, receiver: OtlpReceiver
) -> None:
    env = {**receiver.env, variable: value}
    a = run_program("server-a", *RUN, server=valkey9, namespace=namespace, env=env)
    assert (a.exit_code, receiver.bodies) == (0, [])
    assert part in a.stderr.splitlines()[0]


@pytest.mark.parametrize(("kind", "other"), [("TRACES", "METRICS"), ("METRICS", "TRACES")])
def test_each_kind_can_be_sent_alone(
    *, kind: str, other: str, valkey9: Server, namespace: str, receiver: OtlpReceiver
) -> None:
    path = f"/v1/{kind.lower()}"
    alone = {f"OTEL_EXPORTER_OTLP_{kind}_ENDPOINT": f"{receiver.env['OTEL_EXPORTER_OTLP_ENDPOINT']}{path}"}
    for env in (alone, {**receiver.env, f"OTEL_{other}_EXPORTER": "none"}):
        receiver.requests.clear()
        a = run_program("server-a", *RUN, server=valkey9, namespace=namespace, env=env)
        assert (a.exit_code, set(receiver.requests)) == (0, {path}), a.stderr
