"""Sentinels that want a login of their own: given in each of its ways, sent to them alone, and never shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from demo.servers import Server
from tests.stage.programs import Finished, Name, run_program
from tests.stage.raw import call
from tests.stage.runs import require_exact
from tests.stage.sentences import SECRET, require_no_secret, require_sentence
from tests.stage.servers import Kind, NewServer

pytestmark = [pytest.mark.cluster, pytest.mark.redis_server]

NAME = "shop"
NOTHING_THERE = 75
USER = "asker"
DATA_SECRET = f"{SECRET}-of-the-data"
WAYS = ("file", "variable", "url")
PROGRAMS: tuple[Name, ...] = ("server-a", "server-b")
COMMANDS: dict[Name, tuple[str, ...]] = {
    "server-a": (
        "run", "status", "check", "user list", "user show 1", "user remove 1", "sku list", "sku show sku123",
        "cart show 1", "cart remove 1 sku123", "purge --dry-run", "user add 9 --first-name A --last-name B",
        "sku add s --name N --price 1", "cart add 1 sku123", "run --resume 20261122T205801123Z-3f9a1c",
    ),
    "server-b": ("run --once --wait-s 1", "status", "check", "read", "dead list", "dead retry", "dead drop"),
}  # fmt: skip
LINES = [(program, line) for program, lines in COMMANDS.items() for line in lines]


@dataclass
class Group:
    """A primary that wants one password and a Sentinel that wants another, of a user who may ask and no more."""

    primary: Server
    sentinel: Server
    directory: Path

    def run(
        self, program: Name, *arguments: str, way: str = "", secret: str = SECRET, scheme: str = "redis"
    ) -> Finished:
        """Run a program with the Sentinel's password given in one of the ways, or not at all."""
        prefix = program.replace("-", "_").upper()
        url = f"{scheme}+sentinel://127.0.0.1:{self.sentinel.port}/{NAME}?sentinel_username={USER}"
        env = {f"{prefix}_PASSWORD": DATA_SECRET}
        options: tuple[str, ...] = ()
        if way == "file":
            file = self.directory / "sentinel-password"
            file.write_text(f"{secret}\n")
            options = ("--sentinel-password-file", str(file))
        elif way == "variable":
            env[f"{prefix}_SENTINEL_PASSWORD"] = secret
        elif way == "url":
            url += f"&sentinel_password={secret}"
        return run_program(program, *arguments, *options, "--log-level", "debug", server=url, env=env)


@pytest.fixture
def group(new_server: NewServer, server_kind: Kind, tmp_path: Path) -> Group:
    """One of each kind of server."""
    primary = new_server(server_kind)
    call(primary, "ACL", "SETUSER", "default", "resetpass", f">{DATA_SECRET}")
    sentinel = new_server(server_kind, "--sentinel")
    call(sentinel, "SENTINEL", "MONITOR", NAME, "127.0.0.1", primary.port, 1)
    call(sentinel, "SENTINEL", "SET", NAME, "auth-pass", DATA_SECRET)
    call(sentinel, "ACL", "SETUSER", USER, "on", f">{SECRET}", "-@all", "+sentinel|masters")
    call(sentinel, "ACL", "SETUSER", "default", "resetpass", f">{SECRET}-of-an-admin")
    return Group(primary, sentinel, tmp_path)


@pytest.mark.parametrize("way", WAYS)
def test_a_hand_over_with_the_login_given_in_each_way(group: Group, way: str) -> None:
    found = [group.run(program, "check", "--json", way=way) for program in PROGRAMS]
    assert [(each.exit_code, each.json()["mode"]) for each in found] == [(0, "sentinel")] * 2, found
    produced = group.run("server-a", "run", "--json", way=way)
    consumed = group.run("server-b", "run", "--once", "--wait-s", "30", "--json", way=way)
    require_exact(produced.json(), consumed.json())
    seen = [group.run(program, "status", way=way) for program in PROGRAMS]
    assert [each.exit_code for each in seen] == [0, 0], seen
    for ended in (*found, produced, consumed, *seen):
        require_no_secret(ended)


@pytest.mark.parametrize("number", range(len(LINES)), ids=[f"{program} {line}" for program, line in LINES])
def test_each_command_without_the_login_and_with_a_wrong_one(group: Group, number: int) -> None:
    program, line = LINES[number]
    for way in ("", WAYS[number % len(WAYS)]):
        ended = group.run(program, *line.split(), way=way, secret=f"{SECRET}-wrong")
        require_sentence(ended, 77, "expected a login that the Sentinels accept", "--sentinel-password-file")
        require_no_secret(ended)


def test_a_file_beats_the_variable_and_that_beats_the_url(group: Group) -> None:
    good, bad = group.directory / "good", group.directory / "bad"
    good.write_text(f"{SECRET}\n")
    bad.write_text(f"{SECRET}-wrong\n")
    variable, url_way = {"SERVER_A_SENTINEL_PASSWORD": SECRET}, f"&sentinel_password={SECRET}-wrong"
    url = f"redis+sentinel://:{DATA_SECRET}@127.0.0.1:{group.sentinel.port}/{NAME}?sentinel_username={USER}"
    ended = run_program("server-a", "check", server=url + url_way, env=variable)
    assert ended.exit_code == 0, ended
    wrong_variable = {"SERVER_A_SENTINEL_PASSWORD": f"{SECRET}-wrong"}
    ended = run_program("server-a", "check", "--sentinel-password-file", str(good), server=url, env=wrong_variable)
    assert ended.exit_code == 0, ended
    ended = run_program("server-a", "check", "--sentinel-password-file", str(bad), server=url, env=variable)
    assert ended.exit_code == 77, ended
    file_variable = {"SERVER_A_SENTINEL_PASSWORD_FILE": str(good)}
    assert run_program("server-a", "check", server=url, env=file_variable).exit_code == 0
    peer = {**file_variable, "SERVER_B_SENTINEL_PASSWORD_FILE": str(good), "SERVER_B_PASSWORD": DATA_SECRET}
    ended = run_program("server-a", "check", "--peer-url", url, server=url, env=peer)
    assert ended.exit_code == 0, ended


def test_neither_login_is_sent_to_the_other(group: Group) -> None:
    """Both servers log what they refused: a password of the one at the other would be among it."""
    for program in PROGRAMS:
        assert group.run(program, "status", way="variable").exit_code == NOTHING_THERE
    for server, password in ((group.primary, DATA_SECRET), (group.sentinel, f"{SECRET}-of-an-admin")):
        with redis.Redis(unix_socket_path=str(server.socket_path), password=password) as admin:
            assert [entry["object"] for entry in admin.acl_log() if entry["reason"] == "auth"] == []


def test_a_login_of_sentinels_in_a_wrong_place_is_not_shown(group: Group) -> None:
    wrong = f"redis+sentinel://u:{SECRET}@h/{NAME}?sentinel_password={SECRET}"
    for line in (("user", "show", wrong), ("run", "--count", wrong), ("run", wrong), ("status", f"--json={wrong}")):
        ended = run_program("server-a", *line, server=group.primary)
        assert ended.exit_code != 0
        require_no_secret(ended)


def test_the_option_is_named_where_it_does_nothing(group: Group, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(SECRET)
    options = ("--sentinel-password-file", str(tmp_path / "password"))
    ended = run_program("server-b", "status", *options, server=f"redis://127.0.0.1:{group.primary.port}")
    assert "--sentinel-password-file does nothing: the URL names no Sentinels" in ended.stderr
