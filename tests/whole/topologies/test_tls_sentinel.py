"""`rediss+sentinel://`: Sentinels and servers over TLS, with a password that is the servers' alone."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stage.certificates import Authority
from tests.stage.programs import Name, StartProgram, run_program
from tests.stage.runs import consume, json_of, produce, require_exact
from tests.stage.sentences import SECRET, require_no_secret, require_sentence
from tests.stage.servers import binary
from tests.stage.tls_sentinels import NAME, TlsSentinelGroup
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.redis_server, pytest.mark.kept_together("tls_sentinel")]

USER = "keeper"

both_programs = pytest.mark.parametrize("program", ["server-a", "server-b"])


@pytest.fixture(scope="module")
def own_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority for the group that the tests share."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def group(session_directory: Path, own_authority: Authority) -> Iterator[TlsSentinelGroup]:
    """A group that the tests share; a failover in one of them leaves it with a primary alone."""
    with TlsSentinelGroup(binary("redis7"), own_authority, user=USER, password=SECRET) as started:
        yield started


@pytest.fixture
def trust(own_authority: Authority) -> tuple[str, str]:
    """The option by which the programs trust all of it."""
    return "--tls-ca", str(own_authority.file)


def test_a_run_through_sentinels_over_tls(group: TlsSentinelGroup, trust: tuple[str, str], namespace: str) -> None:
    summary = produce(group.url, *trust, "--count", "20000", "--segment-values", "5000", namespace=namespace)
    require_exact(summary, consume(group.url, *trust, namespace=namespace))
    assert summary["endpoint"] == f"rediss+sentinel://{group.hosts}/{NAME}/0"
    assert group.logins() == 0


@both_programs
def test_a_password_in_a_variable_is_for_the_servers_alone(
    group: TlsSentinelGroup, trust: tuple[str, str], program: Name
) -> None:
    variable = f"{program.upper().replace('-', '_')}_PASSWORD"
    url = f"rediss+sentinel://{USER}@{group.hosts}/{NAME}"
    ended = run_program(program, "status", *trust, "--log-level", "debug", server=url, env={variable: SECRET})
    assert ended.exit_code == 75, ended  # nothing of a hand-over is there
    assert NAME in ended.stdout
    wrong = run_program(program, "status", *trust, server=url, env={variable: f"{SECRET}-wrong"})
    require_sentence(wrong, 77, "expected a user and password it accepts")
    for said in (ended, wrong):
        require_no_secret(said)
    assert group.logins() == 0


@both_programs
def test_sentinels_whose_certificate_nobody_trusts(group: TlsSentinelGroup, program: Name) -> None:
    ended = run_program(program, "status", server=group.url)
    require_sentence(ended, 77, "a certificate that verifies", "--tls-ca")
    require_no_secret(ended)


@both_programs
def test_servers_whose_certificate_does_not_name_the_address_that_the_sentinels_give(
    authority: Authority, program: Name
) -> None:
    """The Sentinels' own certificate is right; that of the servers they lead to is looked at all the same."""
    host = "elsewhere.example"
    with TlsSentinelGroup(binary("redis7"), authority, user=USER, password=SECRET, data_host=host) as group:
        ended = run_program(program, "status", "--tls-ca", str(authority.file), server=group.url)
    require_sentence(ended, 77, "certificate is not valid for '127.0.0.1'")


def test_a_failover_over_tls_is_ridden_through(
    group: TlsSentinelGroup, trust: tuple[str, str], start_program: StartProgram, namespace: str
) -> None:
    before = group.primary_port()
    arguments = ("run", "--json", "--count", "2000000", "--segment-values", "100000", *trust)
    producer = start_program("server-a", *arguments, server=group.url, namespace=namespace)
    wait_until(lambda: "run started" in producer.errors(), description="the run has begun")
    next(server for server in group.servers if server.port == before).end(signal.SIGKILL)
    summary = json_of(producer)
    wait_until(lambda: group.primary_port() != before, description="the replica has been promoted")
    require_exact(summary, consume(group.url, *trust, namespace=namespace))
    assert SECRET not in producer.errors()
    assert group.logins() == 0
