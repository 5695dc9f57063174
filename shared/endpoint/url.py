"""Endpoint URLs: five schemes, checked in full before anything is sent.

redis-py's own parser is not used: it lets the URL switch certificate verification off, ignores a database that is not a
number, and puts part of a password with a raw `@` into the text of an error (parse_url of redis-py 8.1).

User and password of the URL are those of the servers that hold data, also with Sentinels; a login of the Sentinels' own
stands in the parameters `sentinel_username` and `sentinel_password`, as in go-redis. Sending the one login to both was
rejected: a Sentinel that somebody else runs would get the password of the data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from shared.errors import InvalidInputError
from shared.text import quoted_text

DEFAULT_PORT = 6379
EXAMPLE = "redis://localhost:6379/0"
DEFAULT_SENTINEL_PORT = 26379
SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
# a host with a dot, localhost, or any host with a port: what looks like no password
_HARMLESS = re.compile(
    r"((redis|rediss)://)?(localhost|[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,9}|[A-Za-z0-9.-]{1,63}(?=:)|\[[0-9a-fA-F:]{2,40}\])"
    r"(:[0-9]{1,5})?(/[0-9]{0,3})?"
)
_SENTINEL_LOGIN = ("sentinel_username", "sentinel_password")
_QUOTING = "in a password write %40 for @, %2F for /, %3A for :, %23 for # and %3F for ?"


@dataclass(frozen=True)
class EndpointUrl:
    """A parsed endpoint URL."""

    scheme: str
    hosts: tuple[tuple[str, int], ...]  # host and port pairs; several only for Sentinel, none for a unix socket
    service: str  # the name under which Sentinels know the primary; empty without Sentinel
    path: str  # of the unix socket; empty without one
    database: int
    username: str | None
    password: str | None = field(repr=False)
    sentinel_username: str | None = None  # of the login at the Sentinels; None for their default user
    sentinel_password: str | None = field(default=None, repr=False)

    @property
    def is_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme.startswith("rediss")

    @property
    def is_sentinel(self) -> bool:
        """Whether the hosts are Sentinels, which name the primary."""
        return self.scheme.endswith("+sentinel")

    def without_password(self) -> str:
        """Return the URL with its users, for a command that people type."""
        scheme, separator, rest = str(self).partition("://")
        user = f"{quote(self.username, safe='')}@" if self.username else ""
        of_sentinels = self.sentinel_username
        parameter = f"?sentinel_username={quote(of_sentinels, safe='')}" if of_sentinels else ""
        return f"{scheme}{separator}{user}{rest}{parameter}"

    def __str__(self) -> str:
        """Return the URL without user and password, for people, logs and errors."""
        if self.scheme == "unix":
            return f"unix://{self.path}" + (f"?db={self.database}" if self.database else "")
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        service = f"/{self.service}" if self.service else ""
        return f"{self.scheme}://{hosts}{service}/{self.database}"


def parse_url(text: str) -> EndpointUrl:
    """Return the parts of an endpoint URL.

    Raises InvalidInputError if it can't be used; the message never quotes what may be part of a password.
    """
    if not has_encoding(text):
        raise _bad("text of UTF-8", "other bytes")
    scheme, separator, rest = text.strip().partition("://")
    if not separator or scheme not in SCHEMES:
        expected = "a URL that starts with " + ", ".join(f"{name}://" for name in SCHEMES)
        raise _bad(expected, _shown(text, scheme if separator else ""), f"write it as in {EXAMPLE}")
    rest, _, query = rest.partition("?")
    if "#" in rest + query:
        raise _bad("no # in it", "one", "write %23 for a # in a password")
    parameters = _parameters(query, is_sentinel=scheme.endswith("+sentinel"))
    database = _database(parameters["db"], where="db") if "db" in parameters else 0
    authority, slash, tail = rest.partition("/")
    if scheme == "unix":
        username, password, host = _credentials(authority, "")
        path = unquote(slash + tail)
        if "\0" in path:
            raise _bad("a path without zero bytes", "one with")
        if host or not path.strip("/"):
            raise _bad("a path like unix:///run/redis/redis.sock", "a host before the path" if host else "none")
        return EndpointUrl(scheme, (), "", path, database, username, password)
    username, password, hosts = _credentials(authority, tail)
    service = ""
    if scheme.endswith("+sentinel"):
        service, _, tail = tail.partition("/")
        if not service:
            raise _bad(f"the name of the group, as in {scheme}://host1,host2/mymaster", "none")
    if tail.strip("/"):
        database = _database(tail.strip("/"), where="the path")
    found = _hosts(hosts, is_sentinel=bool(service))
    of_sentinels = [parameters.get(name) or None for name in _SENTINEL_LOGIN]
    return EndpointUrl(scheme, found, unquote(service), "", database, username, password, *of_sentinels)


def _shown(text: str, scheme: str) -> str:
    """Return what may be shown of a text that does not begin as a URL does; never what may be part of a password."""
    if not text.strip():
        return "an empty text"
    if text.strip()[0] in "'\"`":
        inner = text.strip().strip("'\"`")
        return f"one in quotes, {quoted_text(text.strip())}" if _HARMLESS.fullmatch(inner) else "one in quotes"
    if scheme and scheme.isascii() and scheme.replace("+", "").isalpha() and len(scheme) < 20:
        return f"the scheme {scheme}://"
    return quoted_text(text.strip()) if _HARMLESS.fullmatch(text.strip()) else "none of them"


def has_encoding(text: str, encoding: str = "utf-8") -> bool:
    """Tell whether a text can be encoded: in UTF-8 if it came as that, in IDNA if Python can resolve it as a name."""
    try:
        return text.encode(encoding) is not None
    except UnicodeError:
        return False


def _bad(expected: str, got: str, advice: str = "") -> InvalidInputError:
    return InvalidInputError(where="URL", expected=expected, got=got, advice=advice)


def _credentials(authority: str, tail: str) -> tuple[str | None, str | None, str]:
    """Split `user:password@hosts`; neither part may hold a raw @ or /."""
    if authority.count("@") > 1:
        raise _bad("one @, before the host", f"{authority.count('@')}", "write %40 for an @ in a password")
    if "@" in tail:
        raise _bad("no @ behind the first /", "one", "write %2F for a / and %40 for an @ in a password")
    userinfo, _, hosts = authority.rpartition("@")
    username, _, password = userinfo.partition(":")
    if ":" in password:
        raise _bad("one : between user and password", "more", "write %3A for a : in a password")
    return unquote(username) or None, unquote(password) or None, hosts


def _hosts(text: str, *, is_sentinel: bool) -> tuple[tuple[str, int], ...]:
    parts = text.split(",")
    if len(parts) > 1 and not is_sentinel:
        raise _bad("one host", f"{len(parts)}", "give any one node of a cluster; the others are found")
    return tuple(_host(part, DEFAULT_SENTINEL_PORT if is_sentinel else DEFAULT_PORT) for part in parts)


def _host(text: str, default_port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _bad("host or host:port with a port from 1 to 65535", "something else", _QUOTING) from None
    if not host:
        raise _bad("a host", "none", "for this machine write localhost")
    if not all(character.isalnum() or character in "-._:%" for character in host):
        raise _bad("a host name or address", "other characters", _QUOTING)
    if not has_encoding(host, "idna"):
        raise _bad("a host name whose parts have 1 to 63 characters each", "another", _QUOTING)
    if port == 0:
        raise _bad("a port from 1 to 65535", "0")
    return host, port or default_port


def _parameters(query: str, *, is_sentinel: bool) -> dict[str, str]:
    """Return the parameters behind the `?`; in them, as in a password, a + stands for itself."""
    allowed = ("db", "protocol", *(_SENTINEL_LOGIN if is_sentinel else ()))
    found = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if name.startswith("ssl_"):
            advice = "use --tls-ca, --tls-cert, --tls-key or --tls-insecure"
            raise _bad("no parameter that changes TLS", "one beginning with ssl_", advice)
        if name in _SENTINEL_LOGIN and not is_sentinel:
            raise _bad("no login of Sentinels", f"{name} in a URL that names none")
        if name not in allowed:
            known = "db, sentinel_username and sentinel_password" if is_sentinel else "db"
            raise _bad(f"no parameter but {known}", "another", _QUOTING)
        found[name] = unquote(value)
    return found


def _database(text: str, *, where: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise _bad(f"a database number as {where}, such as redis://host:6379/0", "something else", _QUOTING)
    return int(text)
