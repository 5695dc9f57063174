"""How long `--every` pauses before the next run."""

from __future__ import annotations

from contextlib import closing

import pytest
import structlog
from structlog.testing import LogCapture

from demo.servers import Server
from server_a.run.every import HandOvers
from server_a.run.settings import RunSettings
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace
from shared.program.options import CommonSettings
from shared.stopping import StopRequest
from tests.stage.noted_pauses import NotedPauses

NOBODY = "redis://127.0.0.1:1/0"


def _hand_overs(url: str, namespace: str, stop: StopRequest, *, every: float) -> HandOvers:
    endpoint = EndpointSettings(parse_url(url))
    common = CommonSettings(endpoint, Keyspace(namespace), log_level="error", log_format=None)
    log = structlog.wrap_logger(None, processors=[LogCapture()])
    return HandOvers(common, RunSettings(count=1, every=every), stop, log)


@pytest.mark.parametrize(("every", "pause_s"), [(0, 1), (0.25, 1), (7, 7)])
def test_a_server_that_is_away_is_asked_once_a_second_at_most(every: float, pause_s: float, namespace: str) -> None:
    with closing(NotedPauses(most=3)) as stop:
        hand_overs = _hand_overs(NOBODY, namespace, stop, every=every)
        assert list(hand_overs.run()) == []
        assert stop.pauses_s == [pause_s] * 3
    assert hand_overs.as_json()["none"] == 3


@pytest.mark.parametrize("every", [0, 0.25])
def test_after_a_run_that_was_written_the_pause_is_the_one_that_was_asked_for(
    every: float, server: Server, namespace: str
) -> None:
    with closing(NotedPauses(most=1_000_000)) as stop:
        runs = _hand_overs(server.url, namespace, stop, every=every).run()
        next(runs)
        stop.pauses_s.clear()
        stop.request()
        assert list(runs) == []
        assert stop.pauses_s == [every]
