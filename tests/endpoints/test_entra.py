"""Tokens instead of passwords: renewed on long runs, and said in one sentence when there are none.

redis-entraid and azure-identity are the real ones; what answers them is `tests.endpoints.token_service`. No token of
Microsoft Entra ID was ever seen by these tests.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.auth.err import RequestTokenErr
from redis.credentials import StreamingCredentialProvider

from demo.servers import Server
from shared.command_line import CommonSettings
from shared.endpoint import client as endpoint_client
from shared.endpoint import wires as endpoint_wires
from shared.endpoint.client import open_endpoint
from shared.endpoint.entra import EntraTokens
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.wires import Wires
from shared.errors import ConnectionLostError, NotAllowedError
from shared.keys import Keyspace
from tests.endpoints.rotating_tokens import USER, RotatingTokens
from tests.endpoints.sentences import require_sentence
from tests.endpoints.token_service import TokenService
from tests.faulty_link import FaultyLink
from tests.hand_over import HandOver
from tests.programs import Name, run_program
from tests.servers import NewServer

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
    monkeypatch.setattr(endpoint_client, "entra_provider", lambda: provider)
    return provider


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
    assert summary.attempts == 104
    assert asked_by_producer > 4
    assert tokens.asked - asked_by_producer > 4


def test_wires_of_some_minutes_are_opened_anew(
    own_server: Server, tokens: RotatingTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = EndpointSettings(url=own_server.url)
    with (
        closing(open_endpoint(settings, provider=tokens)) as endpoint,
        closing(Wires(endpoint)) as wires,
    ):
        first = wires.of("a")
        assert wires.of("a") is first
        asked = tokens.asked
        monkeypatch.setattr(endpoint_wires, "RENEW_AFTER_S", -1.0)
        assert wires.of("a") is not first
        assert not first.is_open
        assert tokens.asked == asked + 1


def test_pooled_connections_get_renewed_tokens(own_server: Server, tokens: RotatingTokens) -> None:
    with closing(open_endpoint(EndpointSettings(url=own_server.url), provider=tokens)) as endpoint:
        assert endpoint.client.exists("none") == 0
        tokens.renew()
        tokens.announce()
        with redis.Redis(unix_socket_path=str(own_server.socket_path)) as other:
            commands = [each["cmd"] for each in other.client_list() if each["user"] == USER]
        assert commands == ["auth"]
        assert endpoint.client.exists("none") == 0


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
    with pytest.raises(ConnectionLostError):
        tokens.get_credentials()


@both_programs
def test_without_the_extra(own_server: Server, program: Name, tmp_path: Path) -> None:
    """A package that can't be imported stands for one that is not installed."""
    (tmp_path / "redis_entraid").mkdir()
    (tmp_path / "redis_entraid" / "__init__.py").write_text("raise ImportError\n")
    env = {"PYTHONPATH": str(tmp_path)}
    ended = run_program(program, "status", "--auth", "entra", server=own_server, env=env)
    require_sentence(ended, 2, "--auth entra: expected the extra azure", "pip install 'handover[azure]'")


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
