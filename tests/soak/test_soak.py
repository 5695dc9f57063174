"""The soak run draws the same faults from the same seed, brings them, and says what went wrong."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from tests.stage.hand_over_in_process import numbers
from tests.stage.programs import Name
from tests.stage.servers import NewServer, connect
from tests.stage.soak_faults import KINDS, Fault, Kind
from tests.stage.soak_report import Soak
from tests.stage.soak_trial import Trial, WrongResultError


@pytest.mark.parametrize(("program", "kind"), KINDS)
def test_a_seed_draws_the_same_fault(program: Name, kind: Kind) -> None:
    assert Fault.draw("7-a", program, kind) == Fault.draw("7-a", program, kind)
    assert Fault.draw("7-a", program, kind) != Fault.draw("7-b", program, kind)


def test_a_fault_comes_and_the_run_is_carried_on(new_server: NewServer) -> None:
    server = new_server("valkey9")
    fault = Fault("server-a", "kill", 25_000, 10_000, "to_server", 150_000, 0)
    with connect(server) as client:
        trial = Trial(server, client, fault)
        trial.carry_out()
    assert trial.counts["met"] == trial.counts["resumed"] == 1


def test_another_list_is_noticed(new_server: NewServer) -> None:
    server = new_server("valkey9")
    fault = Fault("server-b", "cut", 10, 10, "to_client", 1, 0)
    with connect(server) as client:
        client.lpush("biglist", *numbers(9), b"9")
        with pytest.raises(WrongResultError, match="segment 1"):
            Trial(server, client, fault)._require_exact()


def test_the_page_says_what_was_counted_and_what_went_wrong() -> None:
    soak = Soak(7, servers=["Valkey 9"])
    fault = Fault.draw("7-a", "server-a", "kill")
    soak.add("server-a", "kill", fault, Counter(met=1, resumed=2), "7-valkey-server-a-kill-0: another list")
    page = soak.page(datetime(2026, 11, 27, tzinfo=UTC), "Linux")
    assert "| A killed (SIGKILL), then resumed | 1 | 1 | 2 | 0 | 0 |" in page
    assert "- 7-valkey-server-a-kill-0: another list" in page
    assert "1 wrong results" in page
