"""TLS: what verifies is handed over, what does not ends in one sentence, and only an option switches verifying off."""

from __future__ import annotations

import datetime as dt
import time
from contextlib import closing
from pathlib import Path

import pytest

from demo.servers import Server
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from tests.stage.certificates import Authority
from tests.stage.programs import Name, run_program
from tests.stage.runs import consume, produce, require_exact, require_one_sentence
from tests.stage.servers import Kind, NewServer

pytestmark = pytest.mark.redis_server

PROGRAMS: tuple[Name, ...] = ("server-a", "server-b")
# a connection and a handshake may take 5 s each; the rest is the program's start on a busy machine
TIME_OUT_S = 5.0
START_S = 40.0  # less than the minute for which retries would go on

both_programs = pytest.mark.parametrize("program", PROGRAMS)

NOTHING_THERE = 75  # what status says of a server that neither program ever wrote to


@pytest.fixture
def tls_server(authority: Authority, new_server: NewServer) -> Server:
    """A server whose certificate names localhost and 127.0.0.1."""
    certificate = authority.issue("server", "localhost", "127.0.0.1")
    return new_server("redis7", *authority.directives(certificate), tls=True)


@pytest.fixture
def strict_server(authority: Authority, new_server: NewServer) -> Server:
    """A server that wants a certificate of its clients too."""
    certificate = authority.issue("server", "localhost", "127.0.0.1")
    return new_server("redis7", *authority.directives(certificate, clients="yes"), tls=True)


def refuse(program: Name, url: str, *options: str, code: int, parts: tuple[str, ...]) -> None:
    """Check that a program ends in time, with a code and with one sentence that has these parts."""
    began = time.monotonic()
    once = ("--once",) if program == "server-b" else ()
    ended = run_program(program, "run", *once, "--url", url, *options)
    require_one_sentence(ended, code, *parts)
    assert time.monotonic() - began < TIME_OUT_S + START_S


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_run_over_tls(tls_server: Server, trust: tuple[str, str], host: str) -> None:
    url = f"rediss://{host}:{tls_server.port}/0"
    summary = produce(url, *trust, "--count", "20000", "--segment-values", "5000")
    assert summary["endpoint"] == url
    require_exact(summary, consume(url, *trust))


def test_a_run_with_client_certificates(authority: Authority, strict_server: Server, trust: tuple[str, str]) -> None:
    own = authority.issue("client")
    shown = (*trust, "--tls-cert", str(own.file), "--tls-key", str(own.key_file))
    summary = produce(strict_server.url, *shown, "--count", "20000")
    require_exact(summary, consume(strict_server.url, *shown))


@both_programs
def test_the_systems_store_is_used_without_an_option(authority: Authority, tls_server: Server, program: Name) -> None:
    ended = run_program(program, "status", server=tls_server, env={"SSL_CERT_FILE": str(authority.file)})
    assert ended.exit_code == NOTHING_THERE, ended.stderr


@both_programs
def test_an_authority_that_nobody_trusts(tls_server: Server, program: Name) -> None:
    refuse(program, tls_server.url, code=77, parts=("a certificate that verifies", "--tls-ca"))


@both_programs
def test_another_authority(tls_server: Server, program: Name, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    parts = ("a certificate that verifies", "name its authority with --tls-ca")
    refuse(program, tls_server.url, "--tls-ca", str(other.file), code=77, parts=parts)


@both_programs
@pytest.mark.parametrize("command", ["status", "check"])
def test_a_named_authority_replaces_those_of_the_system(
    authority: Authority, tls_server: Server, program: Name, command: str, tmp_path: Path
) -> None:
    """A certificate that any public authority has issued must not do for a server of our own authority."""
    good = NOTHING_THERE if command == "status" else 0
    other = Authority(tmp_path, "other")
    in_store = {"SSL_CERT_FILE": str(authority.file)}
    ended = run_program(program, command, "--tls-ca", str(other.file), server=tls_server, env=in_store)
    require_one_sentence(ended, 77, "a certificate that verifies", "name its authority with --tls-ca")
    ended = run_program(program, command, server=tls_server, env=in_store)
    assert ended.exit_code == good, ended.stderr
    other_in_store = {"SSL_CERT_FILE": str(other.file)}
    ended = run_program(program, command, "--tls-ca", str(authority.file), server=tls_server, env=other_in_store)
    assert ended.exit_code == good, ended.stderr


@both_programs
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_host_that_the_certificate_does_not_name(
    authority: Authority, new_server: NewServer, trust: tuple[str, str], program: Name, host: str
) -> None:
    server = new_server("redis7", *authority.directives(authority.issue("server", "elsewhere.example")), tls=True)
    parts = (f"certificate is not valid for '{host}'", "write a host name or address that the certificate names")
    refuse(program, f"rediss://{host}:{server.port}", *trust, code=77, parts=parts)


@both_programs
def test_an_expired_certificate(
    authority: Authority, new_server: NewServer, trust: tuple[str, str], program: Name
) -> None:
    certificate = authority.issue("server", "127.0.0.1", expires=-dt.timedelta(hours=1))
    server = new_server("redis7", *authority.directives(certificate), tls=True)
    refuse(program, server.url, *trust, code=77, parts=("certificate has expired", "renewed"))


@both_programs
def test_no_client_certificate(strict_server: Server, trust: tuple[str, str], program: Name) -> None:
    parts = ("a client certificate that the server accepts, got none", "--tls-cert", "--tls-key")
    refuse(program, strict_server.url, *trust, code=77, parts=parts)


@both_programs
def test_a_client_certificate_of_another_authority(
    strict_server: Server, trust: tuple[str, str], program: Name, tmp_path: Path
) -> None:
    own = Authority(tmp_path, "other").issue("client")
    shown = ("--tls-cert", str(own.file), "--tls-key", str(own.key_file))
    refuse(program, strict_server.url, *trust, *shown, code=77, parts=("got one that it refuses", "--tls-cert"))


@both_programs
@pytest.mark.parametrize("kind", ["redis7", "valkey9"])
def test_tls_to_a_plain_port(new_server: NewServer, program: Name, kind: Kind) -> None:
    server = new_server(kind)
    url = server.url.replace("redis://", "rediss://")
    refuse(program, url, code=78, parts=("a server that speaks TLS, got one that does not", "redis://"))


@both_programs
def test_plain_to_a_tls_port(tls_server: Server, program: Name) -> None:
    url = tls_server.url.replace("rediss://", "redis://")
    refuse(program, url, code=78, parts=("a server without TLS, got one that speaks TLS", "write rediss://"))


@both_programs
def test_plain_to_a_port_that_wants_client_certificates(strict_server: Server, program: Name) -> None:
    url = strict_server.url.replace("rediss://", "redis://")
    refuse(program, url, code=78, parts=("got one that speaks TLS", "write rediss://"))


@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("server-a", ("run", "--count", "10")),
        ("server-a", ("user", "list")),
        ("server-a", ("status",)),
        ("server-b", ("dead", "list")),
        ("server-b", ("status",)),
    ],
)
def test_insecure_works_and_warns(
    authority: Authority, new_server: NewServer, program: Name, command: tuple[str, ...]
) -> None:
    certificate = authority.issue("server", "elsewhere.example", expires=-dt.timedelta(hours=1))
    server = new_server("redis7", *authority.directives(certificate), tls=True)
    ended = run_program(program, *command, "--tls-insecure", "--log-level", "error", server=server)
    assert ended.exit_code == (NOTHING_THERE if command == ("status",) else 0), ended.stderr
    warning = "warning: --tls-insecure: neither the server's certificate nor its host name is verified"
    assert ended.stderr == f"{program}: {warning}\n"


@both_programs
@pytest.mark.parametrize("parameter", ["ssl_cert_reqs=none", "ssl_check_hostname=false", "ssl_ca_certs=/etc/ca.pem"])
def test_the_url_can_not_switch_it_off(tls_server: Server, program: Name, parameter: str) -> None:
    refuse(program, f"{tls_server.url}?{parameter}", code=2, parts=("no parameter that changes TLS", "--tls-insecure"))


@both_programs
def test_options_that_do_nothing_are_named(new_server: NewServer, trust: tuple[str, str], program: Name) -> None:
    ended = run_program(program, "status", *trust, server=new_server("redis7"))
    assert (ended.exit_code, ended.stderr) == (
        NOTHING_THERE,
        f"{program}: warning: TLS options do nothing: the URL is not rediss://\n",
    )


@pytest.mark.parametrize("option", ["--tls-ca", "--tls-cert"])
def test_files_that_can_not_be_used(tls_server: Server, authority: Authority, option: str, tmp_path: Path) -> None:
    own = authority.issue("client")
    empty = tmp_path / "empty.pem"
    empty.touch()
    for file in (tmp_path / "missing.pem", tmp_path, empty, own.key_file):
        refuse("server-a", tls_server.url, option, str(file), code=2, parts=(option, str(file)))


def test_a_key_alone_and_a_key_of_another(tls_server: Server, authority: Authority) -> None:
    own, other = authority.issue("client"), authority.issue("other")
    parts = ("--tls-key", "--tls-cert")
    refuse("server-a", tls_server.url, "--tls-key", str(own.key_file), code=2, parts=parts)
    shown = ("--tls-cert", str(own.file), "--tls-key", str(other.key_file))
    refuse("server-a", tls_server.url, *shown, code=2, parts=parts)


def test_a_key_with_a_pass_phrase_is_refused_and_not_asked_for(tls_server: Server, authority: Authority) -> None:
    own = authority.issue("client", pass_phrase=b"s3cr7t9")
    shown = ("--tls-cert", str(own.file), "--tls-key", str(own.key_file))
    refuse("server-a", tls_server.url, *shown, code=2, parts=("without a pass phrase",))


def test_pooled_connections_are_ready(tls_server: Server, authority: Authority) -> None:
    """The session tickets of TLS 1.3 come unasked for; redis-py's pool took them for a reply and gave up."""
    with closing(
        open_endpoint(EndpointSettings(url=parse_url(tls_server.url), tls_ca=str(authority.file)))
    ) as endpoint:
        for _ in range(100):
            assert endpoint.at("none").exists("none") == 0
            endpoint.refresh()
