"""The peer's own password file and authorities, for `server-a check` and `server-b page`, at real TLS servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.servers import Server
from tests.stage.certificates import Authority
from tests.stage.page_process import PageProcess
from tests.stage.programs import Finished, StartProgram, run_program
from tests.stage.runs import require_one_sentence
from tests.stage.servers import NewServer

pytestmark = pytest.mark.redis_server
OUR_SECRET, SECRET = "b7our-s3cret", "k2peer-s3cret"


@dataclass
class Two:
    """Our server and the peer, each with a password and an authority of its own."""

    ours: Server
    peer: Server
    directory: Path

    def file(self, name: str) -> str:
        """Return the path of a file: `ours` and `peers` are passwords, `ours.pem` and `peers.pem` authorities."""
        return str(self.directory / name)

    @property
    def our_options(self) -> tuple[str, ...]:
        """The options for our server."""
        return ("--url", self.ours.url, "--password-file", self.file("ours"), "--tls-ca", self.file("ours.pem"))

    def check(self, *options: str, **env: str) -> Finished:
        """Let server-a check both."""
        return run_program("server-a", "check", *self.our_options, "--peer-url", self.peer.url, *options, env=env)


@pytest.fixture
def two(new_server: NewServer, tmp_path: Path) -> Two:
    """Two servers over TLS."""
    servers = []
    for name, secret in (("ours", OUR_SECRET), ("peers", SECRET)):
        (tmp_path / f"{name}-authority").mkdir()
        authority = Authority(tmp_path / f"{name}-authority", name)
        directives = authority.directives(authority.issue("server", "127.0.0.1"))
        servers.append(new_server("redis7", *directives, "--requirepass", secret, tls=True))
        (tmp_path / name).write_text(f"{secret}\n")
        (tmp_path / f"{name}.pem").write_bytes(authority.file.read_bytes())
    return Two(servers[0], servers[1], tmp_path)


@pytest.mark.slow
def test_options_and_their_variables(two: Two) -> None:
    password, authority = ("--peer-password-file", two.file("peers")), ("--peer-tls-ca", two.file("peers.pem"))
    as_variables = {"SERVER_A_PEER_PASSWORD_FILE": two.file("peers"), "SERVER_A_PEER_TLS_CA": two.file("peers.pem")}
    wrong = {"SERVER_B_PASSWORD_FILE": two.file("ours"), "SERVER_B_PASSWORD": OUR_SECRET}
    for ended in (
        two.check(*password, *authority),
        two.check(**as_variables),
        two.check(*password, *authority, **wrong),  # an option beats the variables of the peer's program
        two.check(*authority, SERVER_B_PASSWORD_FILE=two.file("peers"), SERVER_B_PASSWORD=OUR_SECRET),
        two.check(*authority, SERVER_B_PASSWORD=SECRET, SERVER_B_PASSWORD_FILE=""),
    ):
        assert ended.exit_code == 75, ended  # two servers that are not connected: the peer was reached
        assert "did not show a probe key" in ended.stdout


@pytest.mark.parametrize("given", [(), ("--peer-tls-ca", "ours.pem")])
def test_authorities_that_do_not_fit(two: Two, given: tuple[str, ...]) -> None:
    """Without an option the peer's certificate is tested with our authorities, never with those of the system."""
    options = (*given[:1], *(two.file(name) for name in given[1:]))
    ended = two.check("--peer-password-file", two.file("peers"), *options)
    assert ended.exit_code == 77, ended
    assert "peer: " in ended.stdout
    assert "--peer-tls-ca" in ended.stdout


def test_passwords_that_do_not_fit(two: Two) -> None:
    for options in ((), ("--peer-password-file", two.file("ours"))):
        ended = two.check("--peer-tls-ca", two.file("peers.pem"), *options)
        assert ended.exit_code == 77, ended
        assert "--peer-password-file" in ended.stdout
        assert not {OUR_SECRET, SECRET} & set(ended.stdout.split() + ended.stderr.split())


@pytest.mark.parametrize(
    ("option", "name"),
    [
        *(("--peer-password-file", name) for name in ("missing", "", ".", SECRET)),
        *(("--peer-tls-ca", name) for name in ("missing", ".", "peers")),
    ],
)
def test_files_that_are_none(two: Two, option: str, name: str) -> None:
    good = {"--peer-password-file": two.file("peers"), "--peer-tls-ca": two.file("peers.pem")}
    options = good | {option: two.file(name) if name not in ("", SECRET) else name}
    ended = two.check(*(word for pair in options.items() for word in pair))
    require_one_sentence(ended, 2, option)
    assert SECRET not in ended.stderr


def test_a_variables_file_that_is_none_is_named_by_its_variable(two: Two) -> None:
    ended = two.check("--peer-tls-ca", two.file("peers.pem"), SERVER_B_PASSWORD_FILE=two.file("missing"))
    require_one_sentence(ended, 2, "SERVER_B_PASSWORD_FILE")


def test_options_that_do_nothing(valkey9: Server, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "p").write_text("x\n")
    given = ("--peer-password-file", str(tmp_path / "p"), "--peer-tls-ca", str(tmp_path / "p"))
    ended = run_program("server-a", "check", *given, server=valkey9, namespace=namespace)
    assert ended.exit_code == 0, ended
    for option in given[::2]:
        assert f"server-a: warning: {option} does nothing: there is no --peer-url" in ended.stderr
    ended = run_program("server-a", "check", *given[2:], "--peer-url", valkey9.url, server=valkey9, namespace=namespace)
    assert ended.exit_code == 0, ended
    assert "--peer-tls-ca does nothing: the peer's URL is not rediss://" in ended.stderr


@pytest.fixture
def page(two: Two, start_program: StartProgram) -> Iterator[PageProcess]:
    """A page that shows the peer, too."""
    peer = ("--peer-url", two.peer.url, "--peer-password-file", two.file("peers"))
    options = (*two.our_options, *peer, "--peer-tls-ca", two.file("peers.pem"), "--listen", "127.0.0.1:0")
    served = PageProcess(start_program("server-b", "page", *options))
    yield served
    served.close()


def test_the_page_takes_them_too(page: PageProcess, two: Two) -> None:
    assert run_program("server-a", "run", "--count", "10", *two.our_options).exit_code == 0
    found = page.tab().until("Redis at A&#39;s URL")
    assert str(two.peer.port) in found
