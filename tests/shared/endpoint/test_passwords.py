"""What editors, shells and other systems add to a password is taken off or said; nothing is cut silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.endpoint.passwords import MAX_PASSWORD_BYTES, password_of_variable, read_password
from shared.errors import InvalidInputError

SECRET = "s3cr7t9"
BOM = b"\xef\xbb\xbf"
NAMES = [SECRET, f"/{SECRET}", f"{SECRET}\0", SECRET * 1000, "s3cr7t9/x y'z", "s3cr7t9\udcff", ""]
BREAKS = ["\0", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
KEPT = [
    SECRET,
    f" {SECRET} ",
    "pässwörd",
    "a\tb",
    "a\u00a0b",
    "\u200b",
    "a'b\"c",
    "@:/?#%",
    "x" * (MAX_PASSWORD_BYTES - 30),
]


@pytest.mark.parametrize("password", KEPT, ids=lambda text: ascii(text[:10]))
@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\nsecond line\n", "\r\n\r\n"], ids=ascii)
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=ascii)
def test_the_first_line_is_the_password(password: str, end: str, mark: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(f"{mark}{password}{end}".encode())
    assert read_password(str(file)) == password


@pytest.mark.parametrize("mark", BREAKS, ids=ascii)
@pytest.mark.parametrize("text", [f"{SECRET}{{}}", f"s3{{}}{SECRET}", f"{{}}{SECRET}"])
def test_a_line_break_that_cannot_be_seen_is_named(mark: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(f"{text.format(mark)}\r\n".encode())
    variable = text.format(mark) + "\r"
    for read, given in ((read_password, str(file)), (password_of_variable, variable)):
        with pytest.raises(InvalidInputError) as caught:
            read(given)
        assert caught.value.got == f"one with U+{ord(mark):04X}"
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize("text", [SECRET, f"\ufeff{SECRET}", f"{SECRET}\r", f"{SECRET}\n", f"{SECRET}\r\n"])
def test_a_variable_may_come_from_a_file_of_another_system(text: str) -> None:
    assert password_of_variable(text) == SECRET


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\r\n",
        BOM,
        BOM + b"\r\n",
        b"\xff\xfes\0",
        b"\xff",
        b"x" * (MAX_PASSWORD_BYTES + 1),
    ],
    ids=lambda content: repr(content[:8]),
)
def test_a_file_without_a_password_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(InvalidInputError) as caught:
        read_password(str(file))
    assert caught.value.where == "--password-file"


@pytest.mark.parametrize(
    "name", [SECRET, f"/{SECRET}", f"{SECRET}\0", SECRET * 1000, "s3cr7t9/x y'z", "s3cr7t9\udcff", ""]
)
def test_a_password_in_place_of_its_files_name_is_not_shown(name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_password(name)
    assert "s3cr7t9" not in str(caught.value)
    assert "may be the password itself" in str(caught.value)
