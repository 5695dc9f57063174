"""OTEL_* variables that OpenTelemetry does not take: said once, by name, and never with what they hold."""

from __future__ import annotations

import json

import pytest

from demo.servers import Server
from tests.stage.otlp_receiver import otlp_receiver
from tests.stage.programs import run_program
from tests.stage.sentences import SECRET

RUN = ("run", "--count", "1000", "--json")
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
NOT_SET = "expected values that OpenTelemetry takes; what it does not take counts as not set"
WITHOUT = "expected values that OpenTelemetry takes, got ValueError; going on without telemetry"


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("OTEL_BSP_SCHEDULE_DELAY", SECRET, f"OTEL_BSP_SCHEDULE_DELAY: {NOT_SET}"),
        ("OTEL_TRACES_SAMPLER", SECRET, f"one of {ENDPOINT}, OTEL_TRACES_SAMPLER: {NOT_SET}"),
        ("OTEL_EXPORTER_OTLP_HEADERS", f"Bearer {SECRET}", f"one of {ENDPOINT}, OTEL_EXPORTER_OTLP_HEADERS: {NOT_SET}"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", SECRET, f"OTEL_SPAN_LINK_COUNT_LIMIT: {WITHOUT}"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", f"one of {ENDPOINT}, OTEL_METRIC_EXPORT_INTERVAL: {WITHOUT}"),
    ],
)
def test_one_sentence_names_the_variables(
    *, variable: str, value: str, sentence: str, valkey9: Server, namespace: str
) -> None:
    with otlp_receiver() as receiver:
        env = {**receiver.env, variable: value}
        ended = run_program("server-a", *RUN, server=valkey9, namespace=namespace, env=env)
    assert ended.exit_code == 0, ended.stderr
    said, *rest = ended.stderr.splitlines()
    assert said == f"server-a: warning: {sentence}"
    assert SECRET not in ended.stderr
    assert {json.loads(line)["level"] for line in rest} <= {"info"}
    assert bool(receiver.bodies) is sentence.endswith(NOT_SET)


def test_what_is_logged_while_it_is_imported_does_not_reach_stderr(valkey9: Server, namespace: str) -> None:
    with otlp_receiver() as receiver:
        env = {**receiver.env, "OTEL_PYTHON_CONTEXT": SECRET}
        ended = run_program("server-a", *RUN, server=valkey9, namespace=namespace, env=env)
    assert (ended.exit_code, bool(receiver.bodies)) == (0, True)
    assert SECRET not in ended.stderr
    assert {json.loads(line)["level"] for line in ended.stderr.splitlines()} == {"info"}


def test_what_it_takes_is_no_matter_for_a_sentence(valkey9: Server, namespace: str) -> None:
    with otlp_receiver() as receiver:
        env = {
            **receiver.env,
            "OTEL_BSP_SCHEDULE_DELAY": "",
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{SECRET}",
        }
        ended = run_program("server-a", *RUN, server=valkey9, namespace=namespace, env=env)
    assert ended.exit_code == 0
    assert "warning" not in ended.stderr
    assert receiver.bodies
