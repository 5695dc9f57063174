"""The names that we take from the messaging conventions are theirs, of the version that we state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.semconv._incubating.attributes import messaging_attributes as theirs
from opentelemetry.semconv._incubating.metrics import messaging_metrics as their_metrics
from opentelemetry.semconv.attributes import error_attributes, server_attributes
from opentelemetry.semconv.schemas import Schemas

from shared.program.telemetry import names

PAGE = (Path(__file__).parents[3] / "docs/telemetry.md").read_text()
OURS = [value for value in vars(names).values() if isinstance(value, names.Metric)]


def test_attributes_are_theirs() -> None:
    assert names.MESSAGING_SYSTEM == theirs.MESSAGING_SYSTEM
    assert names.MESSAGING_DESTINATION == theirs.MESSAGING_DESTINATION_NAME
    assert names.MESSAGING_GROUP == theirs.MESSAGING_CONSUMER_GROUP_NAME
    assert names.MESSAGING_OPERATION == theirs.MESSAGING_OPERATION_NAME
    assert names.MESSAGING_TYPE == theirs.MESSAGING_OPERATION_TYPE
    assert names.MESSAGING_MESSAGE == theirs.MESSAGING_MESSAGE_ID
    assert names.SERVER_ADDRESS == server_attributes.SERVER_ADDRESS
    assert names.SERVER_PORT == server_attributes.SERVER_PORT
    assert names.ERROR_TYPE == error_attributes.ERROR_TYPE
    types = {value.value for value in theirs.MessagingOperationTypeValues}
    assert {names.SEND, names.PROCESS, names.SETTLE} <= types
    assert names.SYSTEM not in {value.value for value in theirs.MessagingSystemValues}, "then say so no more"


def test_metrics_are_theirs() -> None:
    class Meter:
        def __getattr__(self, _name: str) -> Any:
            return lambda **given: given

    for metric, name in (
        (names.SENT, "client_sent_messages"),
        (names.CONSUMED, "client_consumed_messages"),
        (names.OPERATION_S, "client_operation_duration"),
        (names.PROCESS_S, "process_duration"),
    ):
        given = getattr(their_metrics, f"create_messaging_{name}")(Meter())
        assert (metric.name, metric.unit) == (given["name"], given["unit"])


def test_the_version_is_the_packages_newest_and_on_the_page() -> None:
    assert names.SCHEMA_URL in {schema.value for schema in Schemas}
    assert f"{names.CONVENTIONS}" in PAGE


@pytest.mark.parametrize("metric", OURS, ids=lambda metric: metric.name)
def test_every_metric_is_on_the_page(metric: names.Metric) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{metric.name}`")]
    assert f"| {metric.unit} |" in row.replace("`", "")
