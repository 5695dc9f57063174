"""A password from a file or a variable: what editors and shells add is taken off, and nothing is cut silently.

The name of a password file is never shown: somebody may have typed the password in its place. What is sent as a
password is remembered for as long as the process lives, because whoever gets it may send it back in an error: servers
that do not know AUTH quote what stood behind it, each in its own way, so no pattern finds them all.
"""

from __future__ import annotations

from collections import deque
from urllib.parse import quote

from shared.endpoint.given_files import SilentPipeError, read_given, silent_pipe
from shared.endpoint.url import has_encoding
from shared.errors import InvalidInputError
from shared.text import spellings

MAX_PASSWORD_BYTES = 64 * 1024
_FILE = "--password-file"
_VARIABLE = "the password variable"
_BOM = "\ufeff"
_LINE_BREAKS = "\0\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_LEAST_HIDDEN = 4  # characters; a shorter one tells nothing where it stands, and would be found in any text
_CUT_CHARACTERS = 40  # servers and messages cut what they quote
_sent: deque[str] = deque(maxlen=64)  # tokens are renewed, so the oldest are forgotten
_NOT_SHOWN = "the name is not shown, since it may be the password itself"


def password_from(path: str | None, given: str | None, of_url: str | None, *, option: str, variable: str) -> str | None:
    """Return a password: from the file that an option names, else from the variable, else from the URL.

    Raises as `read_password` and `password_of_variable` do.
    """
    found = read_password(path, option) if path is not None else password_of_variable(given, variable) or of_url
    remember_sent(found or "")
    return found


def remember_sent(password: str) -> None:
    """Remember a password or token that a server will be sent, for `without_sent`."""
    if len(password) >= _LEAST_HIDDEN and password not in _sent:
        _sent.append(password)


def without_sent(text: str) -> str:
    """Return a text of others without the passwords that this process sends, in linear time."""
    spelled = {each for password in _sent for each in (*spellings(password), quote(password, safe=""))}
    for login in sorted(spelled, key=len, reverse=True):
        text = text.replace(login, "...")
        if len(login) > _CUT_CHARACTERS and (start := text.find(login[:_CUT_CHARACTERS])) >= 0:
            text = f"{text[:start]}..."
    return text


def read_password(name: str, option: str = _FILE) -> str:
    """Return the first line of a file, without a byte order mark and without its line end, also that of Windows.

    Raises InvalidInputError if the file can't be read, or holds no password that can be meant.
    """
    try:
        line = b"".join(read_given(name, MAX_PASSWORD_BYTES, until=b"\n").partition(b"\n")[:2])
        text = line.decode("utf-8")
    except SilentPipeError as error:
        raise silent_pipe(option, "a line", _NOT_SHOWN) from error
    except OSError as error:
        raise _bad(option, "a text file that can be read", error.strerror or "another", _NOT_SHOWN) from error
    except ValueError as error:  # a name with a zero byte, or what is no UTF-8
        is_text = isinstance(error, UnicodeDecodeError)
        advice = "save it as UTF-8, without a byte order mark" if is_text else _NOT_SHOWN
        raise _bad(option, "a text file of UTF-8", "other bytes" if is_text else "no name of a file", advice) from error
    if len(line) > MAX_PASSWORD_BYTES:
        raise _bad(option, f"a first line of at most {MAX_PASSWORD_BYTES:,} bytes", "a longer one")
    password = _checked(option, text)
    if not password:
        raise _bad(option, "the password in its first line", "an empty line")
    return password


def password_of_variable(text: str | None, variable: str = _VARIABLE) -> str:
    """Return the password that a variable holds; empty for none."""
    if not has_encoding(text or ""):
        raise _bad(variable, "text of UTF-8", "other bytes")
    return _checked(variable, text or "")


def _checked(where: str, text: str) -> str:
    """Return a password without mark and line end; refuse one with a line break in it, which can't be seen."""
    password = text.removeprefix(_BOM).removesuffix("\n").removesuffix("\r")
    for character in password:
        if character in _LINE_BREAKS:
            advice = "remove it; a password that has one can be given percent-encoded in the URL"
            raise _bad(where, "a password without line breaks", f"one with U+{ord(character):04X}", advice)
    return password


def _bad(where: str, expected: str, got: str, advice: str = "") -> InvalidInputError:
    return InvalidInputError(where=where, expected=expected, got=got, advice=advice)
