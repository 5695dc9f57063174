"""A receiver of telemetry over TLS: verified by the authorities that OTEL_EXPORTER_OTLP_CERTIFICATE names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demo.servers import Server
from tests.stage.certificates import Authority
from tests.stage.otlp_receiver import otlp_receiver
from tests.stage.programs import run_program

RUN = ("run", "--count", "1000", "--json")
NO_BUNDLE = {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": ""}


@pytest.mark.parametrize("bundle", ["", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_authority_that_is_named_is_enough(bundle: str, valkey9: Server, namespace: str, tmp_path: Path) -> None:
    ours, another = Authority(tmp_path), Authority(tmp_path, "another")
    with otlp_receiver(certificate=ours.issue("receiver", "localhost")) as receiver:
        env = NO_BUNDLE | receiver.env | {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(ours.file)}
        if bundle:  # of requests, for whatever uses it on this host
            env[bundle] = str(another.file)
        ended = run_program("server-a", *RUN, server=valkey9, namespace=namespace, env=env)
    assert ended.exit_code == 0
    assert "warning" not in ended.stderr
    assert {"/v1/traces", "/v1/metrics"} == set(receiver.requests)


@pytest.mark.parametrize(("names", "is_named"), [(("localhost",), False), (("elsewhere.example",), True)])
def test_a_certificate_that_is_not_the_receivers_gets_nothing(
    *, names: tuple[str, ...], is_named: bool, valkey9: Server, namespace: str, tmp_path: Path
) -> None:
    ours, another = Authority(tmp_path), Authority(tmp_path, "another")
    with otlp_receiver(certificate=ours.issue("receiver", *names)) as receiver:
        authority = ours if is_named else another
        env = NO_BUNDLE | receiver.env | {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(authority.file)}
        ended = run_program("server-a", *RUN, server=valkey9, namespace=namespace, env=env)
    assert (ended.exit_code, receiver.bodies) == (0, [])
    said = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [line["reason"] for line in said if line["level"] == "warning"] == ["SSLError"]
