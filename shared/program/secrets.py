"""No login in what a program says of its own command line and environment.

A message may quote what was typed: a URL in a wrong place, whose password holds a quote or a blank, whole or cut, as it
is or as Python spells it. So the logins that this process was given are looked for in every spelling, and what is left
is searched for anything that looks like one. Patterns alone were rejected: they can't tell where such a password ends.
All of it takes time that is linear in the text, for the text may be a server's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from shared.text import can_be_shown, spellings

_HIDDEN = "..."
_CUT_CHARACTERS = 40  # messages cut what they quote at 60
_HOST = r"([\w.-]*|\[[\w:.%]*\])(:[0-9]*)?"
_PLAIN_URL = re.compile(
    rf"rediss?://{_HOST}(/[0-9]*)?(\?db=[0-9]*)?"
    rf"|rediss?\+sentinel://{_HOST}(,{_HOST})*(/[\w-]*)?(/[0-9]*)?"
    r"|unix://[\w./%-]*(\?db=[0-9]*)?"
)
_NAME_OF_OPTION = re.compile(r"--?[A-Za-z-]{1,40}")
_NO_QUOTE = re.compile(r"://[^\s'\"]*")
_OF_SENTINELS = re.compile(r"sentinel_password=[^\s'\"]*")
_END_OF_QUOTATION = re.compile(r"://[^\s'\")]*")


def typed_logins(arguments: Iterable[str], environment: Mapping[str, str]) -> list[str]:
    """Return what of the command line and of our variables is not to be shown, in all spellings, the longest first."""
    ours = [value for name, value in environment.items() if name.startswith("SERVER_") or name == "REDIS_URL"]
    words = {*ours, *arguments, *(part for value in ours for part in value.split())}  # some options take several
    options = [word.partition("=") for word in arguments if word.startswith("-")]
    words.update(value for _, _, value in options)
    found = {login for word in words for spelled in spellings(word) for login in _logins(spelled)}
    names = [name for name, _, _ in options if not (_NAME_OF_OPTION.fullmatch(name) or can_be_shown(name))]
    found.update(spelled for name in names for spelled in spellings(name))
    return sorted(found, key=len, reverse=True)


def without_logins(text: str, typed: Iterable[str], *, is_of_click: bool) -> str:
    """Remove logins from a message: those typed, and whatever else looks like one.

    click quotes what was typed and nothing else, so there everything between the first `://` and the last `@` goes. Our
    own errors name endpoints, and a user without a password stays, for the command that resumes a run.
    """
    for login in typed:
        text = text.replace(login, _hidden(login))
        if len(login) > _CUT_CHARACTERS and (start := text.find(login[:_CUT_CHARACTERS])) >= 0:
            text = text[:start] + _HIDDEN
    text = _OF_SENTINELS.sub(f"sentinel_password={_HIDDEN}", text)
    if not is_of_click:
        return _NO_QUOTE.sub(lambda found: _without_password(found[0], text[found.end() : found.end() + 2]), text)
    start, end = text.find("://"), text.rfind("@")
    if start < end and start >= 0:
        return f"{text[:start]}://{_HIDDEN}{text[end:]}"
    return _END_OF_QUOTATION.sub(f"://{_HIDDEN}", text)


def _hidden(login: str) -> str:
    if login.startswith("sentinel_password="):
        return f"sentinel_password={_HIDDEN}"
    scheme = "://" if login.startswith("://") else ""
    return f"{scheme}{_HIDDEN}@" if login.endswith("@") else f"{scheme}{_HIDDEN}"


def _logins(word: str) -> Iterator[str]:
    """Yield the parts of a typed word that are not to be shown."""
    if (place := word.find("sentinel_password=")) >= 0:
        yield word[place:]
    before, scheme, rest = word.strip(" '\"`").partition("://")
    login, at, host = rest.rpartition("@") if scheme else word.rpartition("@")
    if at and (":" in login or not scheme):
        yield f"{login}@"
    url = f"{before.rpartition('=')[2]}://{host if at else rest}"
    if scheme and not _PLAIN_URL.fullmatch(url):
        yield f"://{rest}"


def _without_password(found: str, following: str) -> str:
    """Return what stands where a URL does, up to the next blank or quote; `following` tells if it was cut there."""
    login, at, host = found[3:].rpartition("@")
    if at and ":" in login:
        return f"://{_HIDDEN}@{host}"
    is_cut = not at and following in ("'…", '"…') and ":" in host
    return f"://{_HIDDEN}" if is_cut else found
