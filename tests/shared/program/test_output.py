"""What others wrote reaches neither terminal nor log as it is, whichever way it is printed."""

from __future__ import annotations

import ast
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.endpoint.settings import EndpointSettings
from shared.keys import Keyspace
from shared.program.logs import open_log
from shared.program.options import CommonSettings
from shared.program.output import json_text, say, say_values, tell
from shared.text import joined_lines, shown_text
from tests.stage.hostile_texts import HOSTILE_TEXTS, unsafe_characters

ROOT = Path(__file__).parents[3]
# logs and the progress bar write escape sequences of their own; ending only prepares and flushes the streams
ALLOWED = {
    "click.echo": {"output.py"},
    "click.confirm": {"output.py"},
    "sys.stdout": {"output.py", "ending.py", "screen.py"},
    "sys.stderr": {"logs.py", "output.py", "screen.py"},
    "os.write": {"stopping.py", "starting.py"},
}
FORBIDDEN = {"print", "click.secho", "click.prompt", "click.echo_via_pager", "sys.__stdout__", "sys.__stderr__"}


@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=ascii)
def test_whatever_is_printed_controls_no_terminal(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    say(joined_lines([f"Consumer {text}:"]))
    tell(f"server-b: {text}".replace("\n", " "))
    say(json_text({"name": text}))
    printed, complained = capsys.readouterr()
    assert not unsafe_characters(printed + complained)
    line, as_json = printed.splitlines()
    assert line.startswith("Consumer ")
    assert json.loads(as_json) == {"name": text}


@given(st.text(st.characters()))
def test_any_text_is_one_line_of_printable_characters(text: str) -> None:
    shown = shown_text(text)
    assert not unsafe_characters(shown)
    assert "\n" not in shown
    shown.encode()
    assert shown_text(shown) == shown


@pytest.mark.parametrize("text", ["Björn", "東京", "👩‍💻", "می‌خواهم", "e\u0301", "a  b", "\u00a0", "\\x1b"])
def test_names_of_people_are_shown_as_they_are(text: str) -> None:
    assert shown_text(text) == text


@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=ascii)
@pytest.mark.parametrize("log_format", ["console", "json"])
def test_whatever_is_logged_controls_no_terminal(
    text: str, log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log = open_log(CommonSettings(EndpointSettings(program="server-b"), Keyspace(""), "info", log_format))
    event = f"event {text}"
    log.info(event, reason=text, spaced=f"a {text} =", names=[text], found={text: text}, number=1)
    logged = capsys.readouterr().err
    assert len(logged.splitlines()) == 1
    assert not unsafe_characters(logged)


class _Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def _printed_values(values: list[bytes], *, is_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> bytes:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", (_Terminal if is_terminal else io.TextIOWrapper)(written, encoding="utf-8"))
    say_values(iter([values]))
    return written.getvalue()


def test_values_are_escaped_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [text.encode("utf-8", "surrogateescape") for text in HOSTILE_TEXTS] + [b"\xff\xfe\x9b2J", b"plain"]
    assert _printed_values(values, is_terminal=False, monkeypatch=monkeypatch) == b"\n".join(values) + b"\n"
    shown = _printed_values(values, is_terminal=True, monkeypatch=monkeypatch).decode()
    assert len(shown.splitlines()) == len(values)
    assert not unsafe_characters(shown)


def _printing(file: Path) -> Iterator[str]:
    """Yield what a module mentions that could print."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        name = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""
        if name in FORBIDDEN or file.name not in ALLOWED.get(name, {file.name}):
            yield f"{file.relative_to(ROOT)} line {getattr(node, 'lineno', 0)}: {name}"
        is_joining = isinstance(node, ast.Attribute) and node.attr == "join" and ast.unparse(node.value) == r"'\n'"
        if is_joining and isinstance(node, ast.Attribute) and file.name not in ("text.py", "output.py"):
            yield f"{file.relative_to(ROOT)} line {node.lineno}: lines that joined_lines would escape"
        if isinstance(node, ast.ImportFrom) and node.module in ("click", "sys"):
            yield f"{file.relative_to(ROOT)} line {node.lineno}: names of {node.module} that this test would not see"


def test_nothing_else_prints() -> None:
    files = [file for package in ("shared", "server_a", "server_b") for file in (ROOT / package).rglob("*.py")]
    assert len(files) > 100
    assert not [found for file in files for found in _printing(file)]
