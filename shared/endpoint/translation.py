"""redis-py's exceptions, translated into ours in this one place.

The order of the tests matters: redis-py's AuthenticationError and BusyLoadingError are ConnectionErrors, MovedError is
an AskError, and several replies have no class and are known by their prefix alone.
"""

from __future__ import annotations

import re
import ssl

from redis import exceptions as redis_errors

from shared.endpoint.replies import StrangeReplyError, reason_of, reply_text
from shared.errors import (
    CertificateError,
    HandoverError,
    NotAllowedError,
    NotFinishedError,
    ReadOnlyEndpointError,
    TransientError,
    WrongEndpointError,
    WrongKeyError,
)

_WAITING_PREFIXES = ("MISCONF", "NOREPLICAS", "UNBLOCKED", "NOTREADY", "BUSY ", "UNKILLABLE")  # not BUSYGROUP
_PROXY_PREFIXES = ("no upstream host", "upstream failure", "Connection refused", "Connection timed out", "Host is down")
_SCRIPT_RIGHTS_PREFIXES = ("The user executing the script can't", "ACL failure in script")
_PASSWORD_PREFIXES = ("WRONGPASS", "NOAUTH", "invalid username-password pair", "operation not permitted")
_LOGIN_ADVICE = "check user and password (--password-file, the password variable, or the URL)"


def is_reply(error: BaseException, *prefixes: str) -> bool:
    """Tell whether an error of ours stands for a server's reply that begins with one of these words."""
    return isinstance(error.__cause__, redis_errors.ResponseError) and str(error.__cause__).startswith(prefixes)


def translate(error: Exception, where: str, *, is_cluster: bool = False, key: str = "") -> HandoverError:
    """Return the error of ours that one of redis-py's means.

    Source:
        redis/exceptions.py and redis/_parsers/base.py of redis-py 8.1.
    """
    error = reason_of(error)
    text = reply_text(error)
    return (
        _about_rights(error, text, where)
        or _about_readiness(error, text, where)
        or (_about_moving(error, text, where) if is_cluster else None)
        or _about_kind(error, text, where)
        or _about_key(text, f"{key} at {where}" if key else where)
        or _about_protocol(error, text, where)
        or _about_connection(error, text, where)
        or WrongEndpointError(where=where, expected="a server that takes this command", got=text)
    )


def _about_rights(error: Exception, text: str, where: str) -> HandoverError | None:
    if isinstance(error, redis_errors.NoPermissionError) or text.startswith(_SCRIPT_RIGHTS_PREFIXES):
        expected, advice = "the right to run this command on this key", "grant it with ACL SETUSER"
        return NotAllowedError(where=where, expected=expected, got=text, advice=advice)
    if text.startswith("DENIED"):  # a page of text, of which this is the gist
        expected, got = "a server that takes connections from this host", "one in protected mode"
        advice = "set a password there, or bind it to an address that only trusted hosts reach (protected-mode no)"
        return NotAllowedError(where=where, expected=expected, got=got, advice=advice)
    if _is_unknown(text, "AUTH"):
        expected, got = "a server that takes a password", "one that does not know AUTH"
        advice = "leave user and password away, or ask who runs it how to log in"
        return NotAllowedError(where=where, expected=expected, got=got, advice=advice)
    if _is_about_password(error, text):
        return NotAllowedError(where=where, expected="a user and password it accepts", got=text, advice=_LOGIN_ADVICE)
    return None


def _about_readiness(error: Exception, text: str, where: str) -> HandoverError | None:
    if isinstance(error, redis_errors.OutOfMemoryError):
        advice = "free memory or raise maxmemory, then run it again"
        return NotFinishedError(where=where, expected="memory for the values", got="a full server", advice=advice)
    if isinstance(error, redis_errors.ResponseError) and text.startswith(_WAITING_PREFIXES):
        return TransientError(where=where, expected="a server that takes writes", got=text, answered=True)
    if text.startswith("NOGROUP"):  # destroyed, or lost in a failover: begin anew, which makes it again
        return TransientError(where=where, expected="the consumer group", got=text, answered=True)
    if isinstance(error, (redis_errors.ClusterDownError, redis_errors.TryAgainError, redis_errors.BusyLoadingError)):
        return TransientError(where=where, expected="a server that is ready", got=text, answered=True)
    if isinstance(error, redis_errors.ExecAbortError):  # without its reason, which an earlier reply has told
        return NotFinishedError(where=where, expected="a transaction that is carried out", got=text)
    return _about_room(error, text, where)


def _about_room(error: Exception, text: str, where: str) -> HandoverError | None:
    """Return what a server or proxy means that answers, but has no place for us or nobody behind it."""
    if text.startswith("max number of clients"):
        advice = "close other connections, or raise maxclients"
        return TransientError(where=where, expected="room for a client", got=text, advice=advice, answered=True)
    if isinstance(error, redis_errors.ExternalAuthProviderError):
        return TransientError(where=where, expected="a login that is decided on", got=text, answered=True)
    if type(error) is redis_errors.ResponseError and text.startswith(_PROXY_PREFIXES):
        return TransientError(where=where, expected="a server behind the proxy", got=text, answered=True)
    return None


def _about_moving(error: Exception, text: str, where: str) -> HandoverError | None:
    """Return what a redirection in a cluster means: the map of slots is old, or a slot is just being moved."""
    if isinstance(error, redis_errors.MovedError):
        return TransientError(where=where, expected="the slot here", got=f"MOVED {text}", answered=True)
    if isinstance(error, redis_errors.AskError):
        advice = "wait until its migration is over, or end it with CLUSTER SETSLOT"
        got = f"a slot in migration that takes no new keys here (ASK {text})"
        return TransientError(where=where, expected="a settled slot", got=got, advice=advice, answered=True)
    return None


def _about_kind(error: Exception, text: str, where: str) -> HandoverError | None:
    if isinstance(error, redis_errors.ReadOnlyError):
        advice = "give the primary's URL"
        expected, got = "a primary that takes writes", "a read-only replica"
        return ReadOnlyEndpointError(where=where, expected=expected, got=got, advice=advice)
    if isinstance(error, (redis_errors.AskError, redis_errors.ClusterCrossSlotError)):
        advice = "the server is part of a cluster that it does not admit to; give the URL of a node"
        return WrongEndpointError(where=where, expected="the keys on this node", got=text, advice=advice)
    if "DB index" in text or "SELECT is not allowed" in text:
        advice = "leave it off the URL; a cluster and many managed services have database 0 alone"
        return WrongEndpointError(where=where, expected="a database it has", got="another", advice=advice)
    return None


def _about_key(text: str, where: str) -> HandoverError | None:
    if text.startswith("WRONGTYPE"):
        advice = "somebody else's data is in the way; use --namespace to write beside it"
        return WrongKeyError(where=where, expected="a key of this product's type", got=text, advice=advice)
    return None


def _about_protocol(error: Exception, text: str, where: str) -> HandoverError | None:
    if isinstance(error, StrangeReplyError):
        expected = "replies of the protocol's documentation"
        return WrongEndpointError(where=where, expected=expected, got=text, advice="check what answers there")
    if isinstance(error, redis_errors.InvalidResponse):
        advice = "check host and port"
        return WrongEndpointError(where=where, expected="a Redis server", got="a server of another kind", advice=advice)
    if _is_unknown(text, "SENTINEL"):
        expected, advice = "Sentinels", "write redis:// or rediss:// for a server that holds data"
        return WrongEndpointError(where=where, expected=expected, got="another kind of server", advice=advice)
    return None


def _is_unknown(text: str, command: str) -> bool:
    return re.match(f"(unknown|unsupported) command ['`]?{command}\\b", text, re.IGNORECASE) is not None


def _is_about_password(error: Exception, text: str) -> bool:
    kinds = (
        redis_errors.AuthenticationError,
        redis_errors.AuthorizationError,
        redis_errors.AuthenticationWrongNumberOfArgsError,
    )
    return isinstance(error, kinds) or text.startswith(_PASSWORD_PREFIXES)


def _about_connection(error: Exception, text: str, where: str) -> HandoverError | None:
    """Return what a failed connection means; a certificate that does not verify is no transient fault."""
    kinds = (redis_errors.ConnectionError, redis_errors.TimeoutError, redis_errors.RedisClusterException)
    if not isinstance(error, kinds):
        return None
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _about_certificate(cause.verify_message, where)
        cause = cause.__cause__ or cause.__context__
    if found := re.search(r"certificate verify failed: (.*?) \(_ssl", str(error)):  # of a Sentinel, as text alone
        return _about_certificate(found[1], where)
    return TransientError(
        where=where,
        expected="an answer",
        got=text.rstrip(".") or type(error).__name__,
        advice="check that the server runs there and the URL is right",
    )


def _about_certificate(reason: str, where: str) -> CertificateError:
    """Return what a certificate that does not verify means, with the cure for OpenSSL's reason."""
    if "mismatch" in reason:
        advice = "write a host name or address that the certificate names"
    elif "expired" in reason or "not yet valid" in reason:
        advice = "have the server's certificate renewed, and check this host's clock"
    else:
        advice = "name its authority with --tls-ca"
    got = reason.rstrip(".")
    return CertificateError(where=where, expected="a certificate that verifies", got=got, advice=advice)
