"""Each query of the dashboard asks for metrics, labels and spans that the programs send, by Prometheus's names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from demo.servers import Server
from tests.stage.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.stage.programs import run_program
from tests.stage.servers import SharedServers

ROOT = Path(__file__).parents[3]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/dashboards/handover.json").read_text())
TARGETS = [(panel["title"], target) for panel in DASHBOARD["panels"] for target in panel["targets"]]
PROMQL = [(title, target["expr"]) for title, target in TARGETS if target["datasource"]["type"] == "prometheus"]
TRACEQL = [target["query"] for _, target in TARGETS if target["datasource"]["type"] == "tempo"]
UNITS = {"s": "seconds", "By": "bytes"}  # what is counted, in braces, is no unit there
# of every series, from the resource; `le` of a histogram's buckets
LABELS = {"job", "instance", "le"}
ONCE = ("run", "--once", "--wait-s", "30")
FUNCTIONS = {"sum", "max", "rate", "increase", "histogram_quantile", "last_over_time"}


@pytest.fixture(scope="module")
def sent(shared_servers: SharedServers) -> OtlpReceiver:
    """What both programs send of one run."""
    server: Server = shared_servers.get("valkey9")
    with otlp_receiver() as receiver:
        for name, arguments in (("server-a", ("run",)), ("server-b", ONCE), ("server-a", ("purge", "--shop", "--yes"))):
            ended = run_program(name, *arguments, server=server, namespace="t-dashboard", env=receiver.env)  # type: ignore[arg-type]
            assert ended.exit_code == 0, ended.stderr
        return receiver


def series_of(receiver: OtlpReceiver) -> dict[str, set[str]]:
    """Return the names under which Prometheus keeps what was sent, with the labels of each.

    Source: https://prometheus.io/docs/guides/opentelemetry and the OTLP translation's rules: characters that are not
    allowed become _, the unit is added, then _total to a counter.
    """
    found: dict[str, set[str]] = {}
    for name, (kind, unit) in receiver.metric_names().items():
        base = re.sub(r"\W", "_", name)
        if (suffix := UNITS.get(unit)) and suffix not in base.split("_"):
            base += f"_{suffix}"
        endings = {"sum": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}[kind]
        points = [*receiver.points("server-a", name), *receiver.points("server-b", name)]
        labels = {re.sub(r"\W", "_", label) for attributes, _ in points for label in attributes}
        found |= {base + ending: labels for ending in endings}
    return found


def asked(expression: str) -> tuple[set[str], set[str]]:
    """Return the names of series, and of labels, in an expression."""
    text = re.sub(r"\[[^\]]*\]", "", expression)
    grouped = re.findall(r"\bby \(([^)]*)\)", text)
    text = re.sub(r"\bby \([^)]*\)", "", text)
    matched = re.findall(r"\{([^}]*)\}", text)
    text = re.sub(r"\{[^}]*\}", "", text)
    labels = {label.strip() for group in grouped for label in group.split(",")}
    labels |= {label for matchers in matched for label in re.findall(r"(\w+)\s*[=!]", matchers)}
    return set(re.findall(r"[a-zA-Z_:]\w*", text)) - FUNCTIONS, labels


@pytest.mark.parametrize(("title", "expression"), PROMQL)
def test_a_query_asks_for_what_is_sent(title: str, expression: str, sent: OtlpReceiver) -> None:
    series, labels = asked(expression)
    known = series_of(sent)
    assert series, title
    assert series <= known.keys()
    assert labels <= LABELS.union(*(known[name] for name in series))
    is_counter = all(name.endswith(("_total", "_bucket")) for name in series)
    assert bool(re.search(r"\b(rate|increase)\(", expression)) is is_counter, "a counter is asked for its increase"


def test_an_expression_is_taken_apart() -> None:
    expression = (
        'histogram_quantile(0.5, sum by (le, job) (rate(a_b_bucket{job="x", le!="1"}[$__rate_interval]))) / max(c)'
    )
    assert asked(expression) == ({"a_b_bucket", "c"}, {"le", "job"})


def test_all_that_is_promised_is_asked_for() -> None:
    text = " ".join(expression for _, expression in PROMQL)
    for name in (
        "values_written", "values_read", "lag_seconds_bucket", "segments_examined", "outages", "outage_time",
        "values_lost", "pending", "dead_letters",
    ):  # fmt: skip
        assert f"handover_{name}" in text
    percentiles = {
        float(found) for found in re.findall(r"histogram_quantile\((0\.\d+), sum by \(le\) \(rate\(handover_lag", text)
    }
    assert percentiles == {0.5, 0.95, 0.99}


def test_exemplars_lead_from_the_lag_to_the_trace(sent: OtlpReceiver) -> None:
    lag = [target for title, target in TARGETS if title == "Lag"]
    assert [target["exemplar"] for target in lag] == [True] * 3
    ((_, point),) = sent.points("server-b", "handover.lag")
    (run,) = sent.named("run")
    assert [exemplar.trace_id.hex() for exemplar in point.exemplars] == [run.trace_id]
    spans = {span.span_id for span in sent.named("process signals")}
    assert {exemplar.span_id.hex() for exemplar in point.exemplars} <= spans


def test_the_runs_are_looked_for_by_names_that_are_sent(sent: OtlpReceiver) -> None:
    (query,) = TRACEQL
    service, name = re.findall(r'"([^"]+)"', query)
    assert sent.named(name, service)


def test_sources_are_those_of_the_image_and_the_file_is_where_the_provider_looks() -> None:
    sources = {(target["datasource"]["type"], target["datasource"]["uid"]) for _, target in TARGETS}
    assert sources == {("prometheus", "prometheus"), ("tempo", "tempo")}
    (looked_at,) = re.findall(r"path: ([^}\s]+)", (ROOT / "deploy/dashboards/provider.yaml").read_text())
    mounts = re.findall(r"- (\./\S+):(/\S+):ro", (ROOT / "deploy/compose/observe.yaml").read_text())
    targets = {target: (ROOT / source).resolve() for source, target in mounts}  # as compose.yaml's folder has it
    assert targets[looked_at] == ROOT / "deploy/dashboards/handover.json"
    assert all(source.is_file() for source in targets.values())


def test_ids_and_places_of_panels_are_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not taken & cells
        taken |= cells
