"""Settings of a server that cut connections which do nothing wrong: looked at beforehand, where CONFIG GET is allowed.

Each cut looks like a lost connection to the programs, which read or write again what it cost. They are notes and no
problems: both programs get through, only more slowly. Nothing is said where CONFIG is denied, as on managed servers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shared.check.memory import shown_bytes
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import Together
from shared.errors import HandoverError, NotAllowedError, WrongEndpointError
from shared.fields import decimal_number

LEAST_TIMEOUT_S = 10  # the programs send something on each connection that they need every few seconds
_NAMES = ("client-output-buffer-limit", "maxmemory-clients", "timeout")


def read_limits(endpoint: Endpoint, keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return these settings of each server that holds one of the keys, without what it does not tell.

    Redis: CONFIG GET, three times for each server, in one round trip; older servers take one name each.
    """
    first: dict[str, str] = {}
    for key in keys:
        first.setdefault(endpoint.node_of(key), key)
    asked = Together(endpoint)
    for key in first.values():
        for name in _NAMES:
            asked.at(key).config_get(name)
    replies = iter(asked.send(raise_on_error=False))
    return {node: _settings(next(replies) for _ in _NAMES) for node in first}


def _settings(replies: Iterable[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for reply in replies:
        if isinstance(reply, HandoverError) and not isinstance(reply, (NotAllowedError, WrongEndpointError)):
            raise reply
        if isinstance(reply, Mapping):
            found |= {_text(name): _text(value) for name, value in reply.items()}
    return found


def _text(raw: object) -> str:
    return raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else str(raw)


def limit_notes(node: str, settings: Mapping[str, str], *, asked_bytes: int) -> list[str]:
    """Return what is worth knowing about a server's limits.

    Args:
        node: The server.
        settings: As CONFIG GET says; an unknown one is left out.
        asked_bytes: Most that the program asks for before it has read the replies.
    """
    notes = []
    words = settings.get("client-output-buffer-limit", "").split()
    pairs = zip(words[::4], words[1::4], words[2::4], strict=False)
    limits = [decimal_number(limit) for name, *both in pairs if name == "normal" for limit in both]
    least = min((limit for limit in limits if limit), default=0)
    if 0 < least < 2 * asked_bytes:
        notes.append(
            f"{node} cuts a connection whose replies take more than {shown_bytes(least)} (client-output-buffer-limit "
            f"normal): up to {shown_bytes(asked_bytes)} are asked for ahead, less after each cut; set it to 0"
        )
    clients = settings.get("maxmemory-clients", "0")
    if clients not in ("0", "0%"):
        most = decimal_number(clients)
        shown = shown_bytes(most) if most is not None else f"{clients} of maxmemory"
        notes.append(f"{node} cuts connections when all of its clients take more than {shown} (maxmemory-clients)")
    timeout = decimal_number(settings.get("timeout", "0")) or 0
    if 0 < timeout < LEAST_TIMEOUT_S:
        cure = f"set it to 0, or to {LEAST_TIMEOUT_S} at least"
        notes.append(f"{node} cuts a connection that is silent for {timeout} s (timeout): {cure}")
    return notes
