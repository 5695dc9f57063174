"""Tokens instead of passwords: renewed on long runs, and said in one sentence when there are none.

redis-entraid and azure-identity are the real ones; what answers them is `tests.stage.token_service`. No token of
Microsoft Entra ID was ever seen by these tests.
"""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.auth.err import RequestTokenErr
from redis.credentials import StreamingCredentialProvider

from demo.servers import Server
from server_a.run.writers import tasks_each
from shared.endpoint import entra
from shared.endpoint.batch_connection import pack
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.entra import EntraTokens
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import NotAllowedError, TransientError
from shared.keys import Keyspace
from shared.program.options import CommonSettings
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver
from tests.stage.programs import Name, run_program
from tests.stage.raw import call
from tests.stage.rotating_tokens import USER, RotatingTokens
from tests.stage.sentences import require_sentence
from tests.stage.servers import NewServer
from tests.stage.token_service import TokenService
from tests.stage.waiting import wait_until

both_programs = pytest.mark.parametrize("program", ["server-a", "server-b"])


class WithTokens(HandOver):
    """Both ends with `--auth entra`."""

    def _common(self, url: str) -> CommonSettings:
        common = super()._common(url)
        return replace(common, endpoint=replace(common.endpoint, auth="entra"))


@pytest.fixture
def tokens(own_server: Server, monkeypatch: pytest.MonkeyPatch) -> RotatingTokens:
    """The tokens of the only user of a server, which `--auth entra` takes."""
    provider = RotatingTokens(own_server)
    with redis.Redis(unix_socket_path=str(own_server.socket_path)) as client:
        client.acl_setuser("default", enabled=True, nopass=True, commands=["+@all"], keys=["*"])
    monkeypatch.setattr(entra, "entra_provider", lambda: EntraTokens(provider))
    return provider


@pytest.fixture
def endpoint(own_server: Server, tokens: RotatingTokens) -> Iterator[Endpoint]:
    """An endpoint that logs in with these tokens."""
    with closing(
        open_endpoint(EndpointSettings(url=parse_url(own_server.url)), provider=EntraTokens(tokens))
    ) as opened:
        yield opened


def test_a_run_whose_token_ends_again_and_again(own_server: Server, tokens: RotatingTokens) -> None:
    with FaultyLink(own_server.port) as link:
        hand_over = WithTokens(link.url, Keyspace(""))
        for nth in (1, 30, 60, 90):
            link.at(b"LPUSHX", tokens.end, nth=nth)
            link.at(b"LRANGE", tokens.end, nth=nth)
        summary = hand_over.produce(count=200_000, segment_values=2_000, patience_s=30.0)
        asked_by_producer = tokens.asked
        report = hand_over.consume(wait_s=60.0)
    assert (report.verdict, report.count, report.segments) == ("verified", 200_000, 100)
    assert report.digest == summary.digest
    assert summary.outage_s > 0
    under_way = tasks_each(2_000) + 1  # segments, at most, when a connection is lost
    assert 104 <= summary.attempts <= 100 + 4 * under_way
    assert asked_by_producer > 4
    assert tokens.asked - asked_by_producer > 4


@pytest.mark.parametrize("dead", [None, 0, 1, 2])
def test_every_kept_connection_gets_a_renewed_token(
    own_server: Server, tokens: RotatingTokens, endpoint: Endpoint, dead: int | None
) -> None:
    """One that its server has cut meanwhile is in nobody's way, and comes back with the renewed token."""
    kept = [endpoint.batch("a") for _ in range(3)]
    ids = [connection.call("CLIENT", "ID") for connection in kept]
    for connection in kept:
        connection.close()
    if dead is not None:
        call(own_server, "CLIENT", "KILL", "ID", ids.pop(dead))
    asked = tokens.asked
    tokens.renew()
    tokens.announce()
    assert sorted(tokens.last_commands()) == [(number, "auth") for number in sorted(ids)]
    again = [endpoint.batch("a") for _ in range(3)]
    assert [connection.call("PING") for connection in again] == [b"PONG"] * 3
    assert tokens.asked - asked == 3 - len(ids)
    for connection in again:
        connection.close()


def test_a_connection_in_use_is_opened_anew_once_it_is_given_back(tokens: RotatingTokens, endpoint: Endpoint) -> None:
    """A login between a command and its reply would be read as the reply."""
    with closing(endpoint.batch("a")) as connection:
        own_id = connection.call("CLIENT", "ID")
        connection.send(pack("PING"), replies=1)
        asked = tokens.asked
        tokens.renew()
        tokens.announce()
        assert connection.read() == b"PONG"
        assert connection.call("CLIENT", "ID") == own_id
    assert tokens.asked == asked
    assert endpoint.at("a").client_id() != own_id
    assert tokens.asked == asked + 1


def test_a_connection_that_is_lost_in_use_is_given_back_all_the_same(
    own_server: Server, tokens: RotatingTokens, endpoint: Endpoint
) -> None:
    with closing(endpoint.batch("a")) as connection:
        tokens.renew()
        tokens.announce()
        own_server.stop()
        with pytest.raises(TransientError):
            connection.call("PING")


def test_every_pool_gets_a_renewed_token(own_server: Server, tokens: RotatingTokens) -> None:
    """As many as a cluster has primaries; redis-entraid itself keeps only who asked last."""
    provider = EntraTokens(tokens)
    settings = EndpointSettings(url=parse_url(own_server.url))
    with (
        closing(open_endpoint(settings, provider=provider)),
        closing(open_endpoint(settings, provider=provider)),
    ):
        tokens.renew()
        tokens.announce()
        assert [command for _, command in tokens.last_commands()] == ["auth", "auth"]


def test_an_endpoint_that_is_gone_is_not_kept_for_the_next_token(own_server: Server, tokens: RotatingTokens) -> None:
    provider = EntraTokens(tokens)
    settings = EndpointSettings(url=parse_url(own_server.url))

    def pool_of_one_that_is_gone() -> weakref.ref[redis.ConnectionPool]:
        with closing(open_endpoint(settings, provider=provider)) as opened:
            return weakref.ref(opened.at("a").connection_pool)

    gone = pool_of_one_that_is_gone()
    with closing(open_endpoint(settings, provider=provider)):
        gc.collect()
        assert gone() is None
        tokens.renew()
        tokens.announce()
        assert [command for _, command in tokens.last_commands()] == ["auth"]


@pytest.fixture
def service(own_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenService]:
    """A token service that this process asks."""
    entra.entra_provider.cache_clear()
    with TokenService(own_server) as opened:
        for name, value in opened.env.items():
            monkeypatch.setenv(name, value)
        yield opened
    entra.entra_provider.cache_clear()


def test_endpoints_one_after_the_other_share_what_renews_their_token(own_server: Server, service: TokenService) -> None:
    """`--every` opens one for each run, and a thread that renews a token never ends."""
    settings = EndpointSettings(url=parse_url(own_server.url), auth="entra")
    open_endpoint(settings).close()
    threads = set(threading.enumerate())
    for _ in range(5):
        open_endpoint(settings).close()
    assert len(service.tokens) == 1
    # those of the service end when they have answered
    wait_until(lambda: set(threading.enumerate()) <= threads, description="no thread is new")


class _Failing(StreamingCredentialProvider):
    """Gives one token, or none, and then fails."""

    def __init__(self, *answers: tuple[str, str]) -> None:
        self._answers = list(answers)

    def get_credentials(self) -> tuple[str, str]:
        if not self._answers:
            raise RequestTokenErr("DefaultAzureCredential failed.\nAttempted credentials: s3cr7t9")
        return self._answers.pop()

    def on_next(self, callback: Callable[[Any], None]) -> None:
        pass

    def on_error(self, callback: Callable[[Exception], None]) -> None:
        pass

    def is_streaming(self) -> bool:
        return False


def test_a_first_token_that_fails_is_final_and_a_later_one_transient() -> None:
    with pytest.raises(NotAllowedError) as refused:
        EntraTokens(_Failing()).get_credentials()
    assert refused.value.got == "DefaultAzureCredential failed"
    tokens = EntraTokens(_Failing((USER, "token")))
    assert tokens.get_credentials() == (USER, "token")
    with pytest.raises(TransientError):
        tokens.get_credentials()


@both_programs
def test_without_the_extra(own_server: Server, program: Name, tmp_path: Path) -> None:
    """A package that can't be imported stands for one that is not installed."""
    (tmp_path / "redis_entraid").mkdir()
    (tmp_path / "redis_entraid" / "__init__.py").write_text("raise ImportError\n")
    env = {"PYTHONPATH": str(tmp_path)}
    ended = run_program(program, "status", "--auth", "entra", server=own_server, env=env)
    require_sentence(ended, 2, "--auth entra: expected the extra azure", "pip install 'redis-handover[azure]'")


@pytest.mark.redis_server
def test_a_run_with_the_token_of_a_managed_identity(new_server: NewServer) -> None:
    server = new_server("redis7")
    with TokenService(server) as service:
        for program, options in (
            ("server-a", ("run", "--count", "50000", "--segment-values", "5000")),
            ("server-b", ("run", "--once", "--wait-s", "30")),
            ("server-a", ("user", "show", "1")),
        ):
            ended = run_program(program, *options, "--auth", "entra", server=server, env=service.env)  # type: ignore[arg-type]
            assert ended.exit_code == 0, ended
            written = ended.stdout + ended.stderr
            assert not any(token in written for token in service.tokens)
        assert len(service.tokens) == 3


@both_programs
def test_a_token_service_that_is_out_of_order(own_server: Server, program: Name) -> None:
    with TokenService(own_server) as service:
        service.is_out_of_order = True
        ended = run_program(program, "status", "--auth", "entra", server=own_server, env=service.env)
    require_sentence(ended, 77, "a token from Microsoft Entra ID", "az login")
