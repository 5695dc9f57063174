"""The rules of deploy/acl on a server of the test's own, with a user for each program."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from tests.stage.programs import Finished, Name, run_program
from tests.stage.servers import Kind, NewServer, connect, connect_url

if TYPE_CHECKING:
    import redis

RULES = Path(__file__).parents[2] / "deploy" / "acl"
PASSWORDS: dict[Name, str] = {"server-a": "pass-a", "server-b": "pass-b"}
PURGE = "purge"
PURGE_PASSWORD = "pass-purge"
RETRY = "retry"
RETRY_PASSWORD = "pass-retry"
PAGE = "page"
PAGE_PASSWORD = "pass-page"
_OPERATORS = {PURGE: PURGE_PASSWORD, RETRY: RETRY_PASSWORD, PAGE: PAGE_PASSWORD}
USERS = (*PASSWORDS, *_OPERATORS)


def rules(user: str, namespace: str = "") -> str:
    """Return the rules of a user, with a password, in a namespace as deploy/acl/README.md does it."""
    passwords: dict[str, str] = {**_OPERATORS, "server-a": PASSWORDS["server-a"], "server-b": PASSWORDS["server-b"]}
    password = passwords[user]
    line = (RULES / f"{user}.acl").read_text().replace("CHANGE-ME", password)
    return re.sub(r"(%RW?~\{?)", rf"\1{namespace}:", line) if namespace else line


@dataclass(frozen=True)
class Guarded:
    """A server where both programs have users of their own.

    Attributes:
        namespace: That of the users; empty for none.
    """

    server: Server
    namespace: str

    def run(
        self, program: Name, *arguments: str, stdin: bytes | None = None, codes: tuple[int, ...] = (0,)
    ) -> Finished:
        """Run a program as its user, to one of these exit codes."""
        environment = {name.upper().replace("-", "_") + "_PASSWORD": word for name, word in PASSWORDS.items()}
        ended = run_program(
            program, *arguments, server=self.url(program), namespace=self.namespace, env=environment, stdin=stdin
        )
        assert ended.exit_code in codes, ended
        return ended

    def purge(self, *options: str, codes: tuple[int, ...] = (0,)) -> Finished:
        """Run `server-a purge` as the user that may, to one of these exit codes."""
        ended = run_program(
            "server-a", "purge", *options,
            server=self.url(PURGE), namespace=self.namespace, env={"SERVER_A_PASSWORD": PURGE_PASSWORD},
        )  # fmt: skip
        assert ended.exit_code in codes, ended
        return ended

    def retry(self, *origins: str, codes: tuple[int, ...] = (0,)) -> Finished:
        """Run `server-b dead retry` as the user that may, to one of these exit codes."""
        ended = run_program(
            "server-b", "dead", "retry", *origins,
            server=self.url(RETRY), namespace=self.namespace, env={"SERVER_B_PASSWORD": RETRY_PASSWORD},
        )  # fmt: skip
        assert ended.exit_code in codes, ended
        return ended

    def report(self, *options: str, codes: tuple[int, ...] = (0,)) -> Finished:
        """Run `server-b report` as the user that can only read, to one of these exit codes."""
        ended = run_program(
            "server-b", "report", *options,
            server=self.url(PAGE), namespace=self.namespace, env={"SERVER_B_PASSWORD": PAGE_PASSWORD},
        )  # fmt: skip
        assert ended.exit_code in codes, ended
        return ended

    def url(self, program: str) -> str:
        """Return the URL for a program, or for a user of `USERS`, without the password."""
        return f"redis://{program}@127.0.0.1:{self.server.port}/0"

    def client(self, program: Name) -> redis.Redis:
        """Return a client that logs in as a program."""
        return connect_url(self.url(program).replace("@", f":{PASSWORDS[program]}@"))

    def refused(self) -> set[str]:
        """Return what the server has refused so far: commands and keys."""
        with connect(self.server) as client:
            return {entry["object"] for entry in client.acl_log()}


@pytest.fixture
def guarded(request: pytest.FixtureRequest, new_server: NewServer, server_kind: Kind, tmp_path: Path) -> Guarded:
    """A server of each kind in turn with an aclfile made of both; in a namespace where the test asks for one."""
    namespace: str = getattr(request, "param", "")
    file = tmp_path / "users.acl"
    file.write_text("".join(rules(user, namespace) for user in USERS))
    return Guarded(new_server(server_kind, "--aclfile", str(file)), namespace)
