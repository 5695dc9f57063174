"""A follower's deliveries belong to the trace of the run, though it acknowledges nothing and writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stage.otlp_receiver import otlp_receiver
from tests.stage.programs import run_program
from tests.stage.replicas import ReplicatedPair
from tests.stage.runs import consume, require_exact

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]


def test_a_follower_is_in_the_trace_of_the_run(pair: ReplicatedPair, tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        run = ("run", "--count", "30000", "--segment-values", "10000", "--json")
        produced = run_program("server-a", *run, server=pair.primary, env=receiver.env)
        report = consume(pair.replica.url, env={**receiver.env, "XDG_STATE_HOME": str(tmp_path)})
        require_exact(produced.json(), report)
    assert report["mode"] == "follow"
    (root,) = receiver.named("run")
    sends = {span.attributes["messaging.message.id"]: span.span_id for span in receiver.named("send signals")}
    deliveries = receiver.named("process signals")
    assert len(deliveries) == 3
    for delivery in deliveries:
        sent_by = sends[delivery.attributes["messaging.message.id"]]
        assert (delivery.trace_id, delivery.parent_id) == (root.trace_id, sent_by)
        assert delivery.links == [(root.trace_id, sent_by)]
        assert delivery.attributes["handover.verdict"] == "verified"
    assert receiver.named("settle signals") == []
    assert receiver.total("server-b", "handover.values.read") == 30_000
    assert receiver.total("server-b", "handover.segments.examined", handover__verdict="verified") == 3
