"""Which rights `check` asks for, and what it makes of the server's answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.check.permission_problems import right_notes, right_troubles
from shared.check.permissions import Answer, Right, rights_of
from shared.check.requirements import SERVER_A, SERVER_B_FOLLOW, SERVER_B_GROUP, Need
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

PUSH = Right(("LPUSH", "key", "v"), "key", "write a segment", is_needed=True)
SCAN = Right(("SCAN", "0"), "", "purge", is_needed=False)


def refused(kind: type[HandoverError], got: str = "no", **more: Any) -> HandoverError:
    return kind(where="a:1", expected="yes", got=got, **more)


@pytest.mark.parametrize("namespace", ["", "shop1"])
@pytest.mark.parametrize("needs", [SERVER_A, SERVER_B_GROUP, SERVER_B_FOLLOW])
def test_every_right_is_on_keys_of_ours(needs: tuple[Need, ...], namespace: str) -> None:
    keys = Keyspace(namespace)
    for right in rights_of(needs, keys):
        assert "{}" not in "".join(right.command)
        assert not right.key or (keys.kind_of(right.key) and right.key in right.command)


def test_each_right_is_asked_for_once_and_segments_under_both_names() -> None:
    needs = (Need("write", ("LPUSH {staging} v", "TIME")), Need("again", ("TIME",), is_needed=False))
    rights = rights_of(needs, Keyspace())
    assert [(right.name, right.key.partition("}")[0], right.is_needed) for right in rights] == [
        ("LPUSH", "{biglist", True),
        ("LPUSH", "{biglist:2", True),
        ("TIME", "", True),
    ]


def test_a_follower_only_reads() -> None:
    names = {right.name for right in rights_of(SERVER_B_FOLLOW, Keyspace())}
    assert not {name for name in names if name.startswith(("HS", "XADD", "XACK", "XGROUP", "PEX", "UNL", "EVAL"))}


def test_subcommands_belong_to_the_name() -> None:
    assert Right(("XGROUP", "CREATE", "s"), "s", "", is_needed=True).name == "XGROUP CREATE"


def test_a_missing_right_names_command_key_and_purpose() -> None:
    second = replace(PUSH, command=("LLEN", "key"))
    answers = [Answer(PUSH, refused(NotAllowedError)), Answer(second, refused(NotAllowedError))]
    (trouble,) = right_troubles(answers, "server-a")
    assert trouble.exit_code == 77
    assert trouble.text.startswith("LPUSH, LLEN on key is not allowed, needed to write a segment; ")
    assert "deploy/acl/server-a.acl" in trouble.text


def test_a_right_that_run_can_do_without_is_a_note() -> None:
    answers = [Answer(SCAN, refused(NotAllowedError)), Answer(PUSH, None)]
    assert not right_troubles(answers, "server-a")
    assert right_notes(answers) == ["not allowed: SCAN; only purge needs it"]


def test_a_command_the_server_does_not_have_is_no_right_either() -> None:
    answer = Answer(PUSH, refused(UnknownCommandError, "unknown command 'LPUSH', with args beginning with:"))
    (trouble,) = right_troubles([answer], "server-a")
    assert (answer.is_allowed, trouble.exit_code) == (False, 78)
    assert "not known to the server" in trouble.text


def test_an_error_of_another_kind_shows_that_the_right_is_there() -> None:
    answer = Answer(PUSH, refused(WrongEndpointError, "EXEC without MULTI"))
    assert answer.is_allowed
    assert not right_troubles([answer], "server-a")
    assert not right_notes([answer])


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (refused(NotFinishedError, "a full server"), 75),
        (refused(TransientError, "NOREPLICAS", answered=True), 75),
        (refused(ReadOnlyEndpointError, "a read-only replica"), 78),
    ],
)
def test_writes_that_are_refused_now_are_one_trouble(error: HandoverError, exit_code: int) -> None:
    second = replace(PUSH, command=("HSET", "key", "f", "v"))
    (trouble,) = right_troubles([Answer(PUSH, error), Answer(second, error)], "server-a")
    assert (trouble.text, trouble.exit_code) == (str(error), exit_code)
