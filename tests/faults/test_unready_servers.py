"""Servers that answer but do not take writes for a while: waited out, or 75 once `--patience-s` is over."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from demo.servers import Server
from server_a.run import losses, replicas
from shared.endpoint import retry
from shared.errors import NotFinishedError
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver, list_keys, numbers, stored_values
from tests.stage.replicas import ReplicatedPair
from tests.stage.servers import NewServer, binary, connect
from tests.stage.status_checks import begun_run
from tests.stage.waiting import wait_until

COUNT = 25_000
# It looks at its connections after each kibibyte it has loaded, and a value is two, being not compressed.
_SLOW_TO_LOAD = (
    *("--enable-debug-command", "yes"),
    *("--rdbcompression", "no"),
    *("--loading-process-events-interval-bytes", "1024"),
)


@dataclass
class Trouble:
    """A server that can be put into a state, and taken out of it again."""

    server: Server
    begin: Callable[[], object]
    end: Callable[[], object]


def _configure(server: Server, setting: str, value: object) -> None:
    with connect(server) as client:
        client.config_set(setting, value)


def _without_replicas(new_server: NewServer) -> Trouble:
    server = new_server("valkey9")
    setting = "min-replicas-to-write"
    return Trouble(server, lambda: _configure(server, setting, 1), lambda: _configure(server, setting, 0))


def _unable_to_save(new_server: NewServer) -> Trouble:
    setting = "stop-writes-on-bgsave-error"
    server = new_server("redis7", "--save", "3600 1", f"--{setting}", "no")
    (server.directory / "dump.rdb").mkdir()  # no file can take this name
    with connect(server) as client:
        client.bgsave()

        def has_failed() -> bool:
            return bool(client.info("persistence")["rdb_last_bgsave_status"] == "err")

        wait_until(has_failed, description="the server could not save")
    return Trouble(server, lambda: _configure(server, setting, "yes"), lambda: _configure(server, setting, "no"))


def _loading(new_server: NewServer) -> Trouble:
    """A server that reads its data again, so slowly that it goes on until it is told to hurry."""
    server = new_server("redis7", *_SLOW_TO_LOAD)
    with connect(server) as client:
        client.mset({f"filler:{number}": "x" * 2_000 for number in range(2_000)})
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(server.socket_path))

    def begin() -> None:
        _configure(server, "key-load-delay", 50_000)
        connection.sendall(b"DEBUG RELOAD\r\n")
        with connect(server) as client:
            wait_until(lambda: client.info("persistence")["loading"], description="the server loads")

    def end() -> None:
        _configure(server, "key-load-delay", 0)
        connection.recv(64)
        connection.close()

    return Trouble(server, begin, end)


@pytest.fixture
def _long_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a request wait while the link's thread begins the trouble, however long that takes: then comes its answer."""
    monkeypatch.setattr("shared.endpoint.pools.SOCKET_TIMEOUT_S", 60.0)


TROUBLES = [(_without_replicas, "NOREPLICAS"), (_unable_to_save, "MISCONF"), (_loading, "loading")]


@pytest.mark.redis_server
@pytest.mark.usefixtures("_long_replies")
@pytest.mark.parametrize(("make", "name"), TROUBLES)
def test_a_trouble_that_passes_is_waited_out(
    make: Callable[[NewServer], Trouble], name: str, new_server: NewServer, keys: Keyspace
) -> None:
    trouble = make(new_server)
    both = HandOver(trouble.server.url, keys)
    with FaultyLink(trouble.server.port) as link, connect(trouble.server) as client:
        link.at(b"LPUSHX", trouble.begin, nth=5)
        # what a failed attempt left is removed first of all, which is refused three times
        link.at(b"LPUSHX", lambda: link.at(b"UNLINK", trouble.end, nth=3), nth=5)
        summary = both.produce(url=link.url, count=COUNT)
        assert summary.attempts == 2
        assert summary.outage_s > 0
        assert name in str([entry for entry in both.logged.entries if entry["event"] == "endpoint lost, trying again"])
        assert stored_values(client, keys) == numbers(COUNT)
        assert list_keys(client, keys) == {keys.segment(1)}
    assert both.consume().digest == summary.digest


@pytest.mark.redis_server
@pytest.mark.usefixtures("_long_replies")
@pytest.mark.parametrize(("make", "name"), TROUBLES)
def test_a_trouble_that_lasts_too_long_ends_the_run_which_can_be_resumed(
    make: Callable[[NewServer], Trouble], name: str, new_server: NewServer, keys: Keyspace
) -> None:
    trouble = make(new_server)
    both = HandOver(trouble.server.url, keys)
    with FaultyLink(trouble.server.port) as link:
        link.at(b"LPUSHX", trouble.begin, nth=5)
        with pytest.raises(NotFinishedError) as caught:
            both.produce(url=link.url, count=COUNT, patience_s=0.5)
    assert caught.value.exit_code == 75
    assert name in caught.value.got
    assert f"server-a run --resume {begun_run(both)}" in caught.value.advice
    trouble.end()
    assert both.produce(resume=begun_run(both)).attempts == 1
    assert both.consume().verdict == "verified"


def test_a_segment_that_failed_a_hundred_times_ends_the_run(
    hand_over: HandOver, link: FaultyLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt has a success in it, so the retries alone would never end."""
    monkeypatch.setattr(retry, "FIRST_PAUSE_S", 0.0001)
    link.at(b"HSETNX", lambda: link.cut_after("to_server", 30_000, times=None))
    with pytest.raises(NotFinishedError) as caught:
        hand_over.produce(url=link.url, count=10_000)
    assert (caught.value.exit_code, caught.value.got) == (75, "100 that failed")
    assert hand_over.events().count("attempt lost") == losses.MAX_ATTEMPTS == 100
    assert hand_over.produce(resume=begun_run(hand_over)).attempts == 1
    assert hand_over.consume().verdict == "verified"


@pytest.mark.cluster
def test_each_segment_is_waited_for_until_a_replica_has_it(
    keys: Keyspace, session_directory: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ReplicatedPair(binary("valkey9")) as pair, connect(pair.primary) as primary, connect(pair.replica) as replica:
        both = HandOver(pair.primary.url, keys)
        found: list[bool] = []
        with FaultyLink(pair.primary.port) as link:
            for nth in (1, 2, 3):  # what is signalled is on the replica
                link.at(b"XADD", lambda nth=nth: found.append(replica.exists(keys.segment(nth)) == 1), nth=nth)  # type: ignore[misc]
            with monkeypatch.context() as patch:
                patch.setattr(replicas, "WAIT_MS", 4_000)  # however late a busy machine's replica is, once is enough
                summary = both.produce(url=link.url, count=2_500, segment_values=1_000, min_replicas=1)
        assert (summary.attempts, summary.outage_s) == (3, 0)
        assert found == [True] * 3
        assert primary.info("commandstats")["cmdstat_wait"]["calls"] == 3
        with pytest.raises(NotFinishedError) as caught:
            both.produce(count=10, min_replicas=2, patience_s=0.0)
        assert (caught.value.exit_code, caught.value.expected, caught.value.got) == (
            75,
            "2 replicas that have the segment",
            "1",
        )
