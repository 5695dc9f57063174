"""Refusals that real servers make only in some situation: what they end with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import (
    FullServerError,
    HandoverError,
    NotAllowedError,
    NotFinishedError,
    ReadOnlyEndpointError,
    TransientError,
)
from tests.stage.check_runs import user_url
from tests.stage.programs import Name, run_program
from tests.stage.sentences import SECRET, require_no_secret, require_sentence
from tests.stage.servers import Kind, NewServer, connect

if TYPE_CHECKING:
    import redis

both_programs = pytest.mark.parametrize("program", ["server-a", "server-b"])


@pytest.mark.parametrize(
    ("turn", "kind"),
    [
        (lambda client: client.config_set("maxmemory", 1), FullServerError),
        (lambda client: client.config_set("min-replicas-to-write", 1), TransientError),
        (lambda client: client.replicaof("127.0.0.1", 1), ReadOnlyEndpointError),
    ],
    ids=["memory", "replicas", "role"],
)
def test_a_server_that_turns_between_queue_and_exec(
    own_server: Server, turn: Callable[[redis.Redis], object], kind: type[HandoverError]
) -> None:
    with (
        closing(open_endpoint(EndpointSettings(url=parse_url(own_server.url)))) as endpoint,
        closing(endpoint.batch("k")) as connection,
    ):
        assert connection.call("MULTI") == b"OK"
        assert connection.call("SET", "k", "v") == b"QUEUED"
        with connect(own_server) as client:
            turn(client)
        with pytest.raises(HandoverError) as caught:
            connection.call("EXEC")
    assert type(caught.value) is kind


@pytest.mark.parametrize("rules", [("-xclaim",), ("resetkeys", "~other")])
def test_a_right_that_lacks_inside_a_script(own_server: Server, rules: tuple[str, ...]) -> None:
    script = "return redis.call('XCLAIM', 'signals', 'g', 'c', 1, '1-1')"
    url = user_url(own_server, *rules)
    with (
        closing(open_endpoint(EndpointSettings(url=parse_url(url)))) as endpoint,
        closing(endpoint.batch("")) as connection,
        pytest.raises(NotAllowedError),
    ):
        connection.call("EVAL", script, 0)


@both_programs
def test_a_server_that_does_not_know_auth(new_server: NewServer, server_kind: Kind, program: Name) -> None:
    server = new_server(server_kind, "--rename-command", "AUTH", "LOGIN")
    for login in (f"bob:{SECRET}", f":{SECRET}"):
        url = f"redis://{login}@127.0.0.1:{server.port}/0"
        ended = run_program(program, "status", "--log-level", "debug", server=url)
        require_sentence(ended, 77, "does not know AUTH")
        require_no_secret(ended)
        assert "bob" not in ended.stderr


@both_programs
def test_sentinels_that_ask_for_a_login(new_server: NewServer, server_kind: Kind, program: Name) -> None:
    sentinel = new_server(server_kind, "--sentinel", "--requirepass", SECRET)
    hosts = f"127.0.0.1:1,127.0.0.1:{sentinel.port}"
    ended = run_program(program, "status", server=f"redis+sentinel://:{SECRET}@{hosts}/shop")
    expected = "expected a login that the Sentinels accept, got Authentication required"
    require_sentence(ended, 77, expected, "--sentinel-password-file")
    require_no_secret(ended)


@both_programs
def test_a_server_that_takes_no_more_clients(new_server: NewServer, server_kind: Kind, program: Name) -> None:
    server = new_server(server_kind, "--maxclients", "1")
    with connect(server) as client:
        client.ping()
        ended = run_program(program, "status", server=server)
    require_sentence(ended, 75, "max number of clients", "maxclients")


def test_what_a_server_says_before_it_is_asked_is_told(new_server: NewServer, server_kind: Kind) -> None:
    """Its refusal may be there before anything is sent, and is then read by nobody but the pool."""
    server = new_server(server_kind, "--maxclients", "1")
    with connect(server) as client:
        client.ping()
        for _ in range(50):
            with pytest.raises(NotFinishedError) as caught:
                open_endpoint(EndpointSettings(url=parse_url(server.url)))
            assert "max number of clients" in caught.value.got
