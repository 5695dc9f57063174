"""A password, or a URL that holds one, typed in any wrong place of any command: the message does not show it."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from tests.stage.command_tree import commands, options_of
from tests.stage.inside import run_inside
from tests.stage.programs import Name
from tests.stage.sentences import SECRET

NOWHERE = "redis://127.0.0.1:1"
LINES = list(commands())
SHORT = {"server-a": ("--patience-s", "0"), "server-b": ("--wait-s", "0")}
PASSWORDS = [
    SECRET,
    f"{SECRET}'{SECRET}",
    f"{SECRET} {SECRET}",
    f"{SECRET}%20\u2603{SECRET}",
    f'{SECRET}"{SECRET}' * 9,
    f"--{SECRET}",
    f"--u:{SECRET}={SECRET}",
]
URLS = [f"redis://u:{SECRET}' {SECRET}@h:1/0", f"redis://u:{SECRET}%25", f"unix://u:{SECRET} x@/s", f"u:{SECRET}\t@h"]
_NAMES_FILES = {"--values", "--heartbeat-file", "--html"}  # whose names are shown, since they may be wrong


def _require_nothing_shown(name: Name, *arguments: str) -> None:
    ended = run_inside(name, *arguments)
    said = (ended.stdout + ended.stderr).replace("\\", "")
    assert ended.exit_code in {2, 69}, (arguments, said)
    assert SECRET not in said, (arguments, said)


@pytest.mark.parametrize(("name", "words"), LINES)
def test_as_an_argument(name: Name, words: str) -> None:
    url = ("--url", NOWHERE, *(SHORT[name] if words == "run" else ()))
    for typed in (*PASSWORDS, *URLS):
        for before in ((), ("--", "x", "y", "z")):
            _require_nothing_shown(name, *words.split(), *url, *before, typed)


@pytest.mark.parametrize("name", ["server-a", "server-b"])
def test_as_a_command(name: Name) -> None:
    group = "user" if name == "server-a" else "dead"
    for typed in (*PASSWORDS, *URLS):
        for before in ((), (group,)):
            _require_nothing_shown(name, *before, typed)


@pytest.mark.parametrize(("name", "words"), LINES)
def test_as_an_option_of_another_kind(name: Name, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Typed behind the option and behind `=`, and in its variable; in all places but those of other files."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    command = commands()[name, words]
    needed = ["x" for each in command.params if isinstance(each, click.Argument) and each.required]
    for option, parameter in options_of(command).items():
        if parameter.is_flag or option in _NAMES_FILES or (_is_common(option) and words != "status"):
            continue
        url = () if option == "--url" else ("--url", NOWHERE)
        short = SHORT[name] if words == "run" and option not in SHORT[name] else ()
        variables = [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or []
        for typed in (*PASSWORDS, *URLS):
            line = (*words.split(), *url, *short, *needed)
            _require_nothing_shown(name, *line, f"{option}={typed}")
            if not typed.startswith("-"):
                _require_nothing_shown(name, *line, option, typed)
            with monkeypatch.context() as set_here:
                set_here.setenv(variables[0], typed)
                _require_nothing_shown(name, *line)


def _is_common(option: str) -> bool:
    return option in options_of(commands()["server-a", "status"])


def test_what_can_be_no_password_is_still_quoted() -> None:
    for arguments, shown in (
        (("statsu",), "'statsu'"),
        (("run", "1000"), "(1000)"),
        (("run", "--count", "1e999"), "'1e999'"),
        (("run", "--resume", "20261122T205801123Z-3f9a1"), "'20261122T205801123Z-3f9a1'"),
        (("run", "--namespace", "shop.one"), "1 to 64 of A-Z a-z 0-9 _ -"),
    ):
        assert shown in run_inside("server-a", *arguments).stderr
