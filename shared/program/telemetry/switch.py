"""Whether telemetry is on, as the standard OTEL_* variables say; imports nothing that takes long."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

TRACES, METRICS = "TRACES", "METRICS"
PROTOCOL = "http/protobuf"


def kinds_on(environment: Mapping[str, str]) -> list[str]:
    """Return which of traces and metrics are to be sent: those for which a receiver is named. Empty values are none."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    return [kind for kind in (TRACES, METRICS) if endpoint_variable(environment, kind) and _is_otlp(environment, kind)]


def endpoint_variable(environment: Mapping[str, str], kind: str) -> str:
    """Return the variable that names the receiver of traces or metrics, an empty text for none."""
    names = (f"OTEL_EXPORTER_OTLP_{kind}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    return next((name for name in names if environment.get(name)), "")


def other_protocol(environment: Mapping[str, str], kind: str) -> str:
    """Return the protocol that a variable asks for if it is not the one we speak, else an empty text."""
    names = (f"OTEL_EXPORTER_OTLP_{kind}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    asked = next((environment[name] for name in names if environment.get(name)), PROTOCOL)
    return "" if asked.strip().lower() == PROTOCOL else asked


def prepare_import() -> None:
    """Keep redis-py from importing OpenTelemetry's SDK when telemetry is off, and that from stderr when it is on.

    redis-py imports the SDK for metrics of its own wherever the extra is installed, which takes 20 to 70 ms of a
    program's start. Nobody else in the process asks for it then; what somebody has imported before stays. What is
    logged while it is imported quotes what variables hold.
    """
    if kinds_on(os.environ):
        import logging

        logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
    else:
        sys.modules.setdefault("opentelemetry", None)  # type: ignore[arg-type] # how Python spells "not to be found"


def _is_otlp(environment: Mapping[str, str], kind: str) -> bool:
    chosen = environment.get(f"OTEL_{kind}_EXPORTER") or "otlp"
    return "otlp" in [name.strip().lower() for name in chosen.split(",")]
