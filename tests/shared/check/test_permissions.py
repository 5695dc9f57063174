"""Which permissions `check` asks for, and what it makes of the server's answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.check.permission_findings import permission_notes, permission_problems
from shared.check.permissions import Answer, Permission, permissions_of
from shared.check.requirements import SERVER_A, SERVER_B_FOLLOW, SERVER_B_GROUP, Requirement
from shared.errors import (
    HandoverError,
    NotAllowedError,
    NotFinishedError,
    ReadOnlyEndpointError,
    TransientError,
    UnknownCommandError,
    WrongEndpointError,
)
from shared.keys import Keyspace

PUSH = Permission(("LPUSH", "key", "v"), "key", "write a segment", is_needed=True)
SCAN = Permission(("SCAN", "0"), "", "purge", is_needed=False)


def refused(kind: type[HandoverError], got: str = "no", **more: Any) -> HandoverError:
    return kind(where="a:1", expected="yes", got=got, **more)


@pytest.mark.parametrize("namespace", ["", "shop1"])
@pytest.mark.parametrize("requirements", [SERVER_A, SERVER_B_GROUP, SERVER_B_FOLLOW])
def test_every_permission_is_on_keys_of_ours(requirements: tuple[Requirement, ...], namespace: str) -> None:
    keys = Keyspace(namespace)
    for permission in permissions_of(requirements, keys):
        assert "{}" not in "".join(permission.command)
        assert not permission.key or (keys.kind_of(permission.key) and permission.key in permission.command)


def test_each_permission_is_asked_for_once_and_segments_under_both_names() -> None:
    requirements = (Requirement("write", "LPUSH {staging} v; TIME"), Requirement("again", "TIME", is_needed=False))
    permissions = permissions_of(requirements, Keyspace())
    assert [
        (permission.name, permission.key.partition("}")[0], permission.is_needed) for permission in permissions
    ] == [
        ("LPUSH", "{biglist", True),
        ("LPUSH", "{biglist:2", True),
        ("TIME", "", True),
    ]


def test_a_follower_only_reads() -> None:
    names = {permission.name for permission in permissions_of(SERVER_B_FOLLOW, Keyspace())}
    assert not {name for name in names if name.startswith(("HSE", "XADD", "XACK", "XGROUP", "PEX", "UNL", "EVAL"))}


def test_subcommands_belong_to_the_name() -> None:
    assert Permission(("XGROUP", "CREATE", "s"), "s", "", is_needed=True).name == "XGROUP CREATE"


def test_a_missing_permission_names_command_key_and_purpose() -> None:
    second = replace(PUSH, command=("LLEN", "key"))
    answers = [Answer(PUSH, refused(NotAllowedError)), Answer(second, refused(NotAllowedError))]
    (problem,) = permission_problems(answers, "server-a")
    assert problem.exit_code == 77
    assert problem.text.startswith("LPUSH, LLEN on key is not allowed, needed to write a segment; ")
    assert "deploy/acl/server-a.acl" in problem.text


def test_a_permission_that_run_can_do_without_is_a_note() -> None:
    answers = [Answer(SCAN, refused(NotAllowedError)), Answer(PUSH, None)]
    assert not permission_problems(answers, "server-a")
    assert permission_notes(answers) == ["not allowed: SCAN; only purge needs it"]


def test_a_command_the_server_does_not_have_is_no_permission_either() -> None:
    answer = Answer(PUSH, refused(UnknownCommandError, "unknown command 'LPUSH', with args beginning with:"))
    (problem,) = permission_problems([answer], "server-a")
    assert (answer.is_allowed, problem.exit_code) == (False, 78)
    assert "not known to the server" in problem.text


def test_an_error_of_another_kind_shows_that_the_permission_is_there() -> None:
    answer = Answer(PUSH, refused(WrongEndpointError, "EXEC without MULTI"))
    assert answer.is_allowed
    assert not permission_problems([answer], "server-a")
    assert not permission_notes([answer])


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (refused(NotFinishedError, "a full server"), 75),
        (refused(TransientError, "NOREPLICAS", answered=True), 75),
        (refused(ReadOnlyEndpointError, "a read-only replica"), 78),
    ],
)
def test_writes_that_are_refused_now_are_one_problem(error: HandoverError, exit_code: int) -> None:
    second = replace(PUSH, command=("HSET", "key", "f", "v"))
    (problem,) = permission_problems([Answer(PUSH, error), Answer(second, error)], "server-a")
    assert (problem.text, problem.exit_code) == (str(error), exit_code)
