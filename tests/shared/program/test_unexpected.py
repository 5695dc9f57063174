"""Whatever is raised, a program ends with one sentence; the traceback is there for whoever asks for it."""

from __future__ import annotations

import builtins
import errno
import pwd
import sys
from pathlib import Path

import click
import pytest

from shared.errors import InvalidInputError
from shared.program.ending import run_program
from shared.program.group import main_group
from shared.program.options import CommonSettings, endpoint_options
from shared.program.state_folder import require_writable, state_directory, state_file

SECRET = "s3cr7t9"
_NO_FAULTS = (OSError, MemoryError, UnicodeError, Warning)  # or with arguments of their own
KINDS: list[Exception] = [
    kind(f"about redis://u:{SECRET}@h\n\x1b[2J")
    for kind in vars(builtins).values()
    if isinstance(kind, type)
    and issubclass(kind, Exception)
    and not issubclass(kind, (*_NO_FAULTS, BaseExceptionGroup))
]
KINDS += [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), UnicodeEncodeError("idna", "a..b", 0, 1, "label empty")]
KINDS += [kind("x") for kind in vars(builtins).values() if isinstance(kind, type) and issubclass(kind, Warning)]


def _ended(error: Exception, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    group = main_group("server-a", "For the tests.")

    @group.command("fail")
    @endpoint_options("server-a")
    def fail(_common: CommonSettings) -> None:
        raise error

    assert isinstance(fail, click.Command)
    monkeypatch.setattr(sys, "argv", ["server-a", "fail", *arguments])
    with pytest.raises(SystemExit) as caught:
        run_program(group, "server-a")
    return int(str(caught.value.code))


@pytest.fixture(autouse=True)
def _streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.program.ending.silence_stdout", lambda: None)  # pytest's stdout is to stay


@pytest.mark.parametrize("error", KINDS, ids=lambda error: type(error).__name__)
def test_any_exception_is_one_sentence(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ended(error, monkeypatch) == 70
    said = capsys.readouterr().err.lstrip("\n")  # click begins a line after an EOFError
    assert len(said.splitlines()) == 1
    assert said.startswith("server-a: ")
    assert type(error).__name__ in said
    assert "server-a --log-level debug" in said
    assert SECRET not in said


@pytest.mark.parametrize("error", KINDS, ids=lambda error: type(error).__name__)
def test_the_traceback_is_shown_to_whoever_asks_without_a_login(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ended(error, monkeypatch, "--log-level", "debug", "--url", f"redis://u:{SECRET}@localhost") == 70
    said = capsys.readouterr().err.lstrip("\n")
    assert said.startswith("Traceback (most recent call last):\n")
    assert "raise error" in said
    assert SECRET not in said
    assert "\x1b" not in said


@pytest.mark.parametrize("given", [("--log-level=debug",), ("--log-level", "info", "--log-level", "debug")])
def test_the_level_is_known_before_the_options_are_read(
    given: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ended(ValueError("x"), monkeypatch, *given) == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_what_the_system_lacks_is_no_fault_of_ours(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ended(OSError(number, "no more"), monkeypatch) == 75
    assert _ended(MemoryError(), monkeypatch) == 75
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_user_without_a_home_needs_none_unless_it_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_uid: int) -> None:
        raise KeyError

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert state_directory() == ""
    with pytest.raises(InvalidInputError, match="XDG_STATE_HOME"):
        require_writable(state_directory())
    with pytest.raises(InvalidInputError, match="XDG_STATE_HOME"):
        state_file(state_directory(), ".verdicts", endpoint="redis://h", namespace="")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert Path(state_directory()) == Path("/state/handover")
