"""Where a password comes from."""

from __future__ import annotations

from pathlib import Path

from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import EndpointUrl, is_utf8
from shared.errors import InvalidInputError

_MAX_PASSWORD_BYTES = 64 * 1024


def password_of(url: EndpointUrl, settings: EndpointSettings) -> str | None:
    """Return the password: of the file, else of the variable, else of the URL.

    Raises:
        InvalidInputError: The password file can't be read or is empty, or the variable holds no text.
    """
    if settings.password_file is None:
        if not is_utf8(settings.password or ""):
            raise InvalidInputError(where="the password variable", expected="text of UTF-8", got="bytes that are none")
        return settings.password or url.password
    where = "--password-file"
    try:
        with Path(settings.password_file).open("rb") as file:
            lines = file.readline(_MAX_PASSWORD_BYTES).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        expected = "a text file that can be read"
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise InvalidInputError(where=where, expected=expected, got=f"{settings.password_file}: {why}") from error
    if not lines or not lines[0]:
        raise InvalidInputError(where=where, expected="the password in its first line", got="an empty line")
    return lines[0]
