"""Fields of hashes and stream entries, decoded and checked: numbers, tokens, digests, schema versions."""

from __future__ import annotations

import re

from shared.errors import InvalidInputError
from shared.text import typed_text
from shared.tokens import is_token

SCHEMA_VERSION = 1
READABLE_SCHEMA_VERSIONS = (1,)
_WHOLE, _FRACTION = r"([0-9]+|[0-9]{1,3}(?:(?:_[0-9]{3})+|(?:,[0-9]{3})+))", r"(?:\.([0-9]+))?"
_SPELLED = re.compile(_WHOLE + _FRACTION + "(?:e([0-9]{1,2})|([km]))?", re.ASCII | re.IGNORECASE)
_MOST_CHARACTERS = 24
_NUMBER, _DIGEST = re.compile(rb"[0-9]{1,18}"), re.compile(rb"[0-9a-f]{32}")
_TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def check_version(where: str, raw: bytes) -> None:
    """Refuse a schema version that can't be read here."""
    readable = [str(version) for version in READABLE_SCHEMA_VERSIONS]
    if raw not in [version.encode() for version in readable]:
        advice = "upgrade server-b first" if where == "signal" else "use the version that wrote it"
        raise InvalidInputError(
            where=f"{where} schema_version", expected=" or ".join(readable), got=shown(raw), advice=advice
        )


def check_bounds(where: str, name: str, number: int, most: int, *, least: int = 1) -> None:
    """Refuse a number that is not from `least` to `most`."""
    if not least <= number <= most:
        raise InvalidInputError(where=f"{where} {name}", expected=f"{least} to {most}", got=str(number))


def check_run_id(where: str, text: str) -> None:
    """Refuse a text that is no run id."""
    if not is_token(text):
        raise InvalidInputError(where=where, expected="a run id like 20261122T205801123Z-3f9a1c", got=typed_text(text))


def decode_number(where: str, name: str, raw: bytes, *, least: int = 1) -> int:
    """Return the whole number that a field spells in ASCII digits."""
    if not _NUMBER.fullmatch(raw) or int(raw) < least:
        raise InvalidInputError(where=f"{where} {name}", expected=f"a whole number from {least}", got=shown(raw))
    return int(raw)


def decode_flag(where: str, name: str, raw: bytes) -> bool:
    """Return what a field says: 0 for no, 1 for yes."""
    if raw not in (b"0", b"1"):
        raise InvalidInputError(where=f"{where} {name}", expected="0 or 1", got=shown(raw))
    return raw == b"1"


def decode_token(where: str, name: str, raw: bytes) -> str:
    """Return the run id or attempt token that a field holds."""
    text = raw.decode("ascii", "backslashreplace")
    if not is_token(text):
        expected = "a token like 20261122T205801123Z-3f9a1c"
        raise InvalidInputError(where=f"{where} {name}", expected=expected, got=shown(raw))
    return text


def decode_digest(where: str, raw: bytes) -> str:
    """Return the digest that a field holds, 32 lower-case hex digits."""
    if not _DIGEST.fullmatch(raw):
        raise InvalidInputError(where=f"{where} digest", expected="32 lower-case hex digits", got=shown(raw))
    return raw.decode("ascii")


def decode_traceparent(where: str, raw: bytes) -> str:
    """Return the trace context that a field holds, as version 00 of W3C's traceparent spells it: 55 characters."""
    if not _TRACEPARENT.fullmatch(raw):
        expected = "00-, 32 and 16 lower-case hex digits, not all 0, and 2 more"
        raise InvalidInputError(where=f"{where} traceparent", expected=expected, got=shown(raw))
    return raw.decode("ascii")


def spelled_number(text: str) -> int | None:
    """Return the whole number that somebody typed, such as 1000, 1_000, 1,000, 1e3, 1k, 1.5m; None if it is none."""
    found = _SPELLED.fullmatch(text)
    if found is None or len(text) > _MOST_CHARACTERS:
        return None
    whole, fraction, exponent, letter = found.groups(default="")
    zeros = int(exponent or {"": 0, "k": 3, "m": 6}[letter.lower()]) - len(fraction)
    if zeros < 0 or zeros > _MOST_CHARACTERS:
        return None
    number = int(re.sub("[_,]", "", whole) + fraction) * 10**zeros
    return number if number < 10**18 else None


def decimal_number(text: str) -> int | None:
    """Return the number that up to 18 ASCII digits spell; None for anything else, such as `²`, which is a digit too."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


def shown(raw: bytes) -> str:
    """Return the first 60 bytes of a field as a message may quote them."""
    text = raw[:60].decode("utf-8", "backslashreplace")
    return repr(text) + ("…" if len(raw) > 60 else "")
