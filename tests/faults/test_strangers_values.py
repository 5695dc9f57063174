"""Large values of strangers under the names of a run that a valid signal names: the signal's entry ends alone."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from server_b.group.dead_letters import DeadLetters
from shared.endpoint.opening import Endpoint
from shared.errors import NotFinishedError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.stopping import StopRequest
from tests.stage.faulty_link import FaultyLink
from tests.stage.following import Following
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN, Group, HandOver
from tests.stage.raw import call
from tests.stage.replicas import ReplicatedPair

if TYPE_CHECKING:
    import redis

LARGE = b"x" * 30_000_000
SIGNAL = Signal(OLDER, RUN, 900, 1_000, 10, DIGEST)  # far behind those of the run of one segment beside it


def _place(what: str, keys: Keyspace) -> tuple[str, str]:
    """Return the key and the field where the stranger's value is."""
    return {
        "record": (keys.run(OLDER), "source"),
        "state": (keys.state(keys.segment(900)), "run_id"),
    }[what]


@pytest.mark.parametrize("what", ["record", "state"])
def test_an_entry_whose_keys_hold_large_values_of_somebody_else_becomes_a_dead_letter(
    *, what: str, hand_over: HandOver, group: Group, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    key, field = _place(what, keys)
    client.hset(key, field, LARGE)
    client.xadd(keys.signals(), SIGNAL.encode())  # type: ignore[arg-type]
    run_id = hand_over.produce(count=10).run_id
    assert hand_over.consume().run_id == run_id
    (letter,) = DeadLetters(endpoint, keys).list_letters()
    assert f"run {OLDER}, segment 900: {key} at " in letter.reason
    assert group.pending() == {}
    again = hand_over.produce(count=10).run_id
    assert hand_over.consume(consumer="c").run_id == again


def test_large_values_that_come_instead_of_a_list_end_its_entry_alone(
    *, hand_over: HandOver, group: Group, link: FaultyLink, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    """The look at all missing lists together can't tell whose key it is; another list is missing meanwhile."""
    key, field = _place("state", keys)
    client.xadd(keys.signals(), SIGNAL.encode())  # type: ignore[arg-type]
    client.xadd(keys.signals(), Signal(OLDER, RUN, 901, 1_000, 10, DIGEST).encode())  # type: ignore[arg-type]
    with closing(StopRequest()) as stop:
        link.at(b"}:state", lambda: client.hset(key, field, LARGE), nth=6)
        link.at(b"XADD", stop.request)  # its dead letter
        with pytest.raises(NotFinishedError):
            hand_over.consume(url=link.url, stop=stop, settle_s=60)
    (letter,) = DeadLetters(endpoint, keys).list_letters()
    assert key in letter.reason
    assert group.pending() == {"b": 1}


@pytest.mark.cluster
@pytest.mark.kept_together("topologies")
@pytest.mark.parametrize("what", ["record", "state"])
def test_a_follower_skips_an_entry_whose_keys_hold_large_values_of_somebody_else(
    what: str, following: Following, pair: ReplicatedPair
) -> None:
    key, field = _place(what, Keyspace(""))
    call(pair.primary, "HSET", key, field, LARGE)
    call(pair.primary, "XADD", "signals", "*", *(part for pair in SIGNAL.encode().items() for part in pair))
    run_id = following.produce(count=10)
    assert following.follow().run_id == run_id
    (skipped,) = [entry for entry in following.replica.logged.entries if entry["event"] == "entry skipped"]
    assert key in skipped["reason"]
