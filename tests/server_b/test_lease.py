"""A claim that is held for long: renewed while we read or wait, given up to whoever took it, never lost from sight.

No time is compared with a limit: a claim was renewed if the server calls it younger than it would be without that.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from server_b import lease
from server_b.group import entries as entry_source
from server_b.lease import GivenBack, Lease
from server_b.segment import examiner
from server_b.settings import ConsumerSettings
from shared.endpoint import window
from shared.errors import NotFinishedError
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP, Signal
from shared.stopping import StopRequest
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN, Group, HandOver
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis

CLAIM_IDLE_MS = 300


class Claim:
    """The one pending entry, as the server sees it."""

    def __init__(self, client: redis.Redis, keys: Keyspace) -> None:
        """Look through a client of the test's own."""
        self._client, self._stream = client, keys.signals()
        self._began = time.monotonic()

    def wait_until_silent(self) -> None:
        """Wait until it may be claimed; from now on it is older than CLAIM_IDLE_MS and what goes by, unless renewed."""

        def is_silent() -> bool:
            self._began = time.monotonic()
            return self._idle_ms() > CLAIM_IDLE_MS

        wait_until(is_silent, description="nothing was heard of the entry for long")

    @property
    def is_renewed(self) -> bool:
        """Whether it was, since that wait; its age is asked for first, so a pause before we ask the clock adds none."""
        idle_ms = self._idle_ms()
        gone_by_ms = (time.monotonic() - self._began) * 1_000
        return idle_ms <= gone_by_ms + CLAIM_IDLE_MS / 2  # the server counts whole milliseconds

    def take(self, consumer: str) -> None:
        """Claim it for another consumer, whoever has it."""
        entry_id = self._pending()["message_id"]
        self._client.xclaim(self._stream, CONSUMER_GROUP, consumer, 0, [entry_id])

    def _idle_ms(self) -> int:
        return int(self._pending()["time_since_delivered"])

    def _pending(self) -> dict[str, Any]:
        found: Any = self._client.xpending_range(self._stream, CONSUMER_GROUP, "-", "+", 1)
        entry: dict[str, Any] = found[0]
        return entry


@pytest.fixture
def claim(client: redis.Redis, keys: Keyspace) -> Claim:
    return Claim(client, keys)


def _signal_without_a_list(client: redis.Redis, keys: Keyspace) -> None:
    client.xadd(keys.signals(), Signal(OLDER, RUN, 1, 1, 10, DIGEST).encode())  # type: ignore[arg-type]


def test_a_claim_is_renewed_while_a_long_list_is_read(
    hand_over: HandOver, group: Group, link: FaultyLink, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one transaction in flight there are dozens of round trips between the two moments."""
    monkeypatch.setattr(window, "MAX_BYTES", window.LEAST_BYTES)
    monkeypatch.setattr(examiner, "POLL_S", 0.001)
    summary = hand_over.produce(count=200_000)
    found: list[object] = []

    def look() -> None:
        found.append(claim.is_renewed)
        found.append((group.pending(), group.deliveries()))

    link.at(b"LRANGE", claim.wait_until_silent, nth=5)
    link.at(b"LRANGE", look, nth=190)
    report = hand_over.consume(url=link.url, claim_idle_ms=CLAIM_IDLE_MS)
    assert found == [True, ({"b": 1}, [1])]
    assert (report.run_id, report.verdict) == (summary.run_id, "verified")
    assert "entry given back" not in hand_over.events()


def test_a_claim_is_renewed_while_a_list_is_awaited(
    *, hand_over: HandOver, group: Group, link: FaultyLink, claim: Claim, client: redis.Redis, keys: Keyspace
) -> None:
    _signal_without_a_list(client, keys)
    found: list[object] = []
    with closing(StopRequest()) as stop:

        def look() -> None:
            found.append(claim.is_renewed)
            found.append((group.pending(), group.deliveries()))
            stop.request()

        link.at(b"}:state", claim.wait_until_silent, nth=3)
        link.at(b"}:state", look, nth=6)
        with pytest.raises(NotFinishedError):
            hand_over.consume(url=link.url, stop=stop, claim_idle_ms=CLAIM_IDLE_MS)
    assert found == [True, ({"b": 1}, [1])]


@pytest.mark.parametrize(("request_text", "nth"), [(b"LRANGE", 5), (b"}:state", 3)], ids=["reading", "waiting"])
def test_an_entry_that_another_claimed_meanwhile_stays_with_it(
    *,
    request_text: bytes,
    nth: int,
    hand_over: HandOver,
    group: Group,
    link: FaultyLink,
    claim: Claim,
    client: redis.Redis,
    keys: Keyspace,
) -> None:
    """The stop request comes with the claim, so that we do not claim it back from a consumer that does nothing."""
    if request_text == b"LRANGE":
        hand_over.produce(count=50_000)
    else:
        _signal_without_a_list(client, keys)
    with closing(StopRequest()) as stop:

        def take() -> None:
            claim.wait_until_silent()
            claim.take("other")
            stop.request()

        link.at(request_text, take, nth=nth)
        with pytest.raises(NotFinishedError):
            hand_over.consume(url=link.url, stop=stop, claim_idle_ms=CLAIM_IDLE_MS)
    given_back = [entry["reason"] for entry in hand_over.logged.entries if entry["event"] == "entry given back"]
    assert given_back == ["claimed by another consumer"]
    assert (group.pending(), group.deliveries()) == ({"other": 1}, [2])
    assert group.member("third").claim(idle_ms=3_600_000, after="0-0")[1] is None
    assert not hand_over.reports


def test_an_entry_that_a_lost_reply_left_with_us_is_found_while_we_serve(
    hand_over: HandOver, group: Group, link: FaultyLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was delivered under our name, and we never saw it; its time to be claimed is far away."""
    monkeypatch.setattr(entry_source, "CLAIM_EVERY_S", 0.0)
    summary = hand_over.produce(count=30, segment_values=10)
    link.at(b"XACK", lambda: group.member("b").read_new(block_ms=1))
    report = hand_over.consume(url=link.url, claim_idle_ms=86_400_000)
    assert (report.run_id, report.verdict) == (summary.run_id, "verified")
    assert group.pending() == {}


def test_an_entry_left_pending_for_a_missing_list_is_not_taken_for_one_that_was_lost(
    hand_over: HandOver, group: Group, client: redis.Redis, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry_source, "CLAIM_EVERY_S", 0.0)
    _signal_without_a_list(client, keys)
    with pytest.raises(NotFinishedError):
        hand_over.consume(settle_s=0.0, wait_s=1.0, claim_idle_ms=86_400_000)
    assert hand_over.events().count("list not there yet, left pending") == 1
    assert (group.pending(), group.deliveries()) == ({"b": 1}, [1])


def test_an_entry_that_waits_and_was_claimed_by_another_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its list may never come, and its turn neither: nobody else would let it go."""
    monkeypatch.setattr(lease, "BEAT_EVERY_S", 0.0)
    renewed: list[str] = []

    def renew() -> bool:
        renewed.append("1-0")
        return False

    with closing(StopRequest()) as stop:
        held = Lease(ConsumerSettings(consumer="b", claim_idle_ms=0), stop, log=None, endpoint="")  # type: ignore[arg-type]
        held.hold("1-0", renew)
        held.let_wait("1-0")
        for _ in range(3):
            held.beat()
    assert renewed == ["1-0"]


def test_a_claim_lost_behind_the_entry_in_hand_is_told_in_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT_EVERY_S", 0.0)
    renewed: list[str] = []

    def renew(entry_id: str, *, is_ours: bool) -> bool:
        renewed.append(entry_id)
        return is_ours

    with closing(StopRequest()) as stop:
        # each beat renews: a claim of no time at all is always due
        held = Lease(ConsumerSettings(consumer="b", claim_idle_ms=0), stop, log=None, endpoint="")  # type: ignore[arg-type]
        held.hold("1-0", lambda: renew("1-0", is_ours=True))
        held.hold("2-0", lambda: renew("2-0", is_ours=False))
        held.beat()
        assert renewed == ["1-0", "2-0"]
        held.release("1-0")
        held.hold("2-0", lambda: renew("held anew", is_ours=True))
        with pytest.raises(GivenBack):
            held.beat()
