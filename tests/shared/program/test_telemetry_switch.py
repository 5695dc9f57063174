"""When telemetry is on: as the standard variables say, and no others."""

from __future__ import annotations

import pytest

from shared.program.telemetry.objections import variables_of
from shared.program.telemetry.switch import METRICS, TRACES, endpoint_variable, kinds_on, other_protocol

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, []),
        ({"OTEL_SERVICE_NAME": "mine", "OTEL_TRACES_EXPORTER": "otlp"}, []),
        (ENDPOINT, [TRACES, METRICS]),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "True"}, []),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "no"}, [TRACES, METRICS]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/v1/traces"}, [TRACES]),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c/v1/metrics"}, [METRICS]),
        (ENDPOINT | {"OTEL_METRICS_EXPORTER": "none"}, [TRACES]),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "console, OTLP"}, [TRACES, METRICS]),
    ],
)
def test_a_kind_is_on_where_its_receiver_is_named(environment: dict[str, str], expected: list[str]) -> None:
    assert kinds_on(environment) == expected


def test_the_variable_of_a_kind_goes_before_that_of_all() -> None:
    both = ENDPOINT | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/v1/traces"}
    assert endpoint_variable(both, TRACES) == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    assert endpoint_variable(both, METRICS) == "OTEL_EXPORTER_OTLP_ENDPOINT"
    asked = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf"}
    assert (other_protocol(asked, TRACES), other_protocol(asked, METRICS), other_protocol({}, TRACES)) == (
        "grpc",
        "",
        "",
    )


GIVEN = {"OTEL_BSP_SCHEDULE_DELAY": "abc", "OTEL_TRACES_SAMPLER": "s3cret", "OTEL_SERVICE_NAME": "", "PATH": "/bin"}


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("Unable to parse value for OTEL_BSP_SCHEDULE_DELAY as integer.", "OTEL_BSP_SCHEDULE_DELAY"),
        ("Couldn't recognize sampler s3cret.", "one of OTEL_BSP_SCHEDULE_DELAY, OTEL_TRACES_SAMPLER"),
        ("OTEL_SERVICE_NAME is empty", "one of OTEL_BSP_SCHEDULE_DELAY, OTEL_TRACES_SAMPLER"),
    ],
)
def test_an_objection_names_the_variable_or_all_that_are_set(text: str, variables: str) -> None:
    assert variables_of([text], GIVEN) == variables
