"""Translate redis-py's exceptions into ours, in this one place.

The order of the rules matters: redis-py's AuthenticationError and BusyLoadingError are ConnectionErrors, MovedError is
an AskError, and several replies have no class of their own and are known by how they begin.
"""

from __future__ import annotations

import re
import ssl

from redis import exceptions as redis_errors
from redis.connection import DefaultParser
from redis.exceptions import ResponseError

from shared.endpoint.certificate_error import certificate_error
from shared.endpoint.passwords import without_sent
from shared.endpoint.strange_replies import ReplyLimitError, StrangeReplyError
from shared.errors import (
    FullServerError,
    HandoverError,
    LongReplyError,
    NotAllowedError,
    NotFinishedError,
    ReadOnlyEndpointError,
    TransientError,
    UnknownCommandError,
    WrongEndpointError,
    WrongKeyError,
)
from shared.text import shown_text

MAX_TEXT = 2_000  # characters of a server's error that are looked at and shown
_QUOTED_ARGUMENTS = re.compile(r",? with args beginning with\b.*", re.DOTALL | re.IGNORECASE)
_WRAPPED_REASON = re.compile(
    r"(?:Transaction discarded because of: "
    r"|Error running script \(call to \w+\): (?:@user_script: ?[0-9]+: )*)"
    r"-?(?P<reason>[A-Z]{3,} .*)",
    re.DOTALL,
)

_PERMISSION = "permission to run this command on this key, got {}; grant it with ACL SETUSER"
_LOGIN = "a user and password it accepts, got {}; check --password-file, the password variable, or the URL"
_NO_LOGIN = (
    "a user and password it accepts, got none: the server wants a password; give it with --password-file, in "
    "SERVER_A_PASSWORD or SERVER_B_PASSWORD, or in the URL before the host, as USER:PASSWORD@"
)
_PROTECTED = (
    "a server that takes connections from this host, got one in protected mode; set a password there, or bind it to an "
    "address that only trusted hosts reach (protected-mode no)"
)
_OTHER_SERVER = "a Redis server, got a server of another kind; check host and port"
_HIDDEN_CLUSTER = (
    "the keys on this node, got {}; the server is part of a cluster that it does not admit to; give the URL of a node"
)

# Which error (a class, or how the text begins), what it means, and `expected, got what; advice`, where {} is the text.
_Rule = tuple[type[Exception] | str, type[HandoverError], str]
_CLUSTER_RULES: tuple[_Rule, ...] = (  # a redirection passes: our map of slots is old, or a slot is just being moved
    (redis_errors.MovedError, TransientError, "the slot here, got MOVED {}"),
    (
        redis_errors.AskError,
        TransientError,
        "a settled slot, got one in migration (ASK {}); wait until that is over, or end it with CLUSTER SETSLOT",
    ),
)
_RULES: tuple[_Rule, ...] = (
    (redis_errors.NoPermissionError, NotAllowedError, _PERMISSION),
    ("The user executing the script can't|ACL failure in script", NotAllowedError, _PERMISSION),
    ("DENIED", NotAllowedError, _PROTECTED),  # the reply itself is a page of text
    (
        r"(?i:(unknown|unsupported) command ['`]?AUTH\b)",
        NotAllowedError,
        "a server that takes a password, got one that does not know AUTH; leave user and password away",
    ),
    ("NOAUTH|Authentication required|HELLO must be called with the client already auth", NotAllowedError, _NO_LOGIN),
    # redis-py's own, of an answer to AUTH that is neither OK nor an error, such as a mail server's greeting
    ("Invalid Username or Password$", WrongEndpointError, _OTHER_SERVER),
    (redis_errors.AuthenticationError, NotAllowedError, _LOGIN),
    (redis_errors.AuthorizationError, NotAllowedError, _LOGIN),
    (redis_errors.AuthenticationWrongNumberOfArgsError, NotAllowedError, _LOGIN),
    ("WRONGPASS|NOAUTH|invalid username-password pair|operation not permitted", NotAllowedError, _LOGIN),
    (
        redis_errors.OutOfMemoryError,
        FullServerError,
        "memory for the values, got a full server; free memory or raise maxmemory, then run it again",
    ),
    # "BUSY " with its blank, since BUSYGROUP is another matter
    ("MISCONF|NOREPLICAS|UNBLOCKED|NOTREADY|BUSY |UNKILLABLE", TransientError, "a server that takes writes, got {}"),
    # destroyed, or lost in a failover: whoever retries creates it again
    ("NOGROUP", TransientError, "the consumer group, got {}"),
    (redis_errors.ClusterDownError, TransientError, "a server that is ready, got {}"),
    (redis_errors.TryAgainError, TransientError, "a server that is ready, got {}"),
    (redis_errors.BusyLoadingError, TransientError, "a server that is ready, got {}"),
    # here only without its reason, which the reply to an earlier command has named
    (redis_errors.ExecAbortError, NotFinishedError, "a transaction that is carried out, got {}"),
    (
        "max number of clients",
        TransientError,
        "room for a client, got {}; close other connections, or raise maxclients",
    ),
    (redis_errors.ExternalAuthProviderError, TransientError, "a login that is decided on, got {}"),
    (
        "no upstream host|upstream failure|Connection refused|Connection timed out|Host is down",
        TransientError,
        "a server behind the proxy, got {}",
    ),
    (
        redis_errors.ReadOnlyError,
        ReadOnlyEndpointError,
        "a primary that takes writes, got a read-only replica; give the primary's URL",
    ),
    (redis_errors.AskError, WrongEndpointError, _HIDDEN_CLUSTER),
    (redis_errors.ClusterCrossSlotError, WrongEndpointError, _HIDDEN_CLUSTER),
    (
        "(?s:.*(DB index|SELECT is not allowed))",
        WrongEndpointError,
        "a database it has, got another; leave it off the URL: clusters and many managed services have only database 0",
    ),
    (
        "WRONGTYPE",
        WrongKeyError,
        "a key of this product's type, got {}; somebody else's data is in the way; use --namespace to write beside it",
    ),
    (
        StrangeReplyError,
        WrongEndpointError,
        "replies of the protocol's documentation, got {}; check what answers there",
    ),
    (
        ReplyLimitError,
        LongReplyError,
        "a reply no longer than what was asked for, got {}; check what answers there",
    ),
    (
        redis_errors.InvalidResponse,
        WrongEndpointError,
        _OTHER_SERVER,
    ),
    (
        r"(?i:(unknown|unsupported) command ['`]?SENTINEL\b)",
        WrongEndpointError,
        "Sentinels, got another kind of server; write redis:// or rediss:// for a server that holds data",
    ),
    ("(?i:unknown )", UnknownCommandError, "a server that takes this command, got {}"),
)


def is_reply(error: BaseException, *prefixes: str) -> bool:
    """Tell whether an error of ours stands for a server's reply that begins with one of these words."""
    return isinstance(error.__cause__, ResponseError) and str(error.__cause__).startswith(prefixes)


def translate(error: Exception, where: str, *, is_cluster: bool = False, key: str = "") -> HandoverError:
    """Translate one of redis-py's errors into ours.

    Source: redis/exceptions.py and redis/_parsers/base.py of redis-py 8.1.
    """
    error = _reason_of(error)
    # a server quotes the arguments of an unknown command, among them the password of AUTH
    text = shown_text(_QUOTED_ARGUMENTS.sub("", without_sent(str(error))[:MAX_TEXT]))
    # redis-py's own texts about a connection may begin as a reply does
    is_answer = isinstance(error, (ResponseError, redis_errors.AuthenticationError)) or text.startswith(
        "max number of clients"
    )
    for which, meaning, sentence in (*_CLUSTER_RULES, *_RULES) if is_cluster else _RULES:
        if is_answer and re.match(which, text) if isinstance(which, str) else isinstance(error, which):
            expected, _, rest = sentence.partition(", got ")
            got, _, advice = rest.partition("; ")
            place = f"{key} at {where}" if key and meaning in (WrongKeyError, LongReplyError) else where
            found = meaning(where=place, expected=expected, got=got.replace("{}", text), advice=advice)
            if isinstance(found, TransientError):
                found.answered = True
            return found
    if isinstance(error, (redis_errors.ConnectionError, redis_errors.TimeoutError, redis_errors.RedisClusterException)):
        return _connection_error(error, text, where)
    return WrongEndpointError(where=where, expected="a server that takes this command", got=text)


def _reason_of(error: Exception) -> Exception:
    """Return the error that a reply wraps: why EXEC was refused, or what a command in a script met; else itself.

    Source: EXEC of Redis 7.0 and Valkey 9.1 while memory is full, replicas lack, or the server has become a replica;
    EVAL of Redis 6.2.
    """
    wrapped = _WRAPPED_REASON.match(str(error)) if isinstance(error, ResponseError) else None
    if wrapped is None:
        return error
    try:
        reason: Exception = DefaultParser.parse_error(wrapped["reason"].strip())  # type: ignore[no-untyped-call]
    except ValueError:  # a redirection that names no slot and address
        return error
    return reason


def _connection_error(error: Exception, text: str, where: str) -> HandoverError:
    """Return what a failed connection means; a certificate that does not verify is no transient fault."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return certificate_error(cause.verify_message, where)
        cause = cause.__cause__ or cause.__context__
    _, is_certificate, rest = str(error).partition("certificate verify failed: ")  # a Sentinel's comes as text alone
    if is_certificate and " (_ssl" in rest:
        return certificate_error(rest.partition(" (_ssl")[0], where)
    got, advice = text.rstrip(".") or type(error).__name__, "check that the server runs there and the URL is right"
    return TransientError(where=where, expected="an answer", got=got, advice=advice)
