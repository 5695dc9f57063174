"""What each error reply means to us: the class, and the exit code it ends a program with when it lasts."""

from __future__ import annotations

import pytest
from redis.connection import DefaultParser

from shared.endpoint.strange_replies import StrangeReplyError
from shared.endpoint.translation import translate
from shared.errors import (
    FullServerError,
    HandoverError,
    NotAllowedError,
    NotFinishedError,
    ReadOnlyEndpointError,
    TransientError,
    UnknownCommandError,
    WrongEndpointError,
    WrongKeyError,
)

AUTH_WITHOUT_PASSWORD = (
    "AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
UNKNOWN_AUTH = [
    "ERR unknown command 'AUTH', with args beginning with: 'bob' 's3cr7t9' ",
    "ERR unknown command `AUTH`, with args beginning with: `bob`, `s3cr7t9`, ",
    "ERR unknown command 'auth' with args beginning with: 'bob' 's3cr7t9' ",
    "ERR unknown command 'AUTH'",
    "ERR unsupported command 'auth'",
]
REPLIES: list[tuple[str, type[HandoverError], int]] = [
    ("ERR max number of clients reached", TransientError, 75),
    ("ERR max number of clients + cluster connections reached", TransientError, 75),
    ("LOADING Redis is loading the dataset in memory", TransientError, 75),
    ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", TransientError, 75),
    ("NOREPLICAS Not enough good replicas to write.", TransientError, 75),
    ("CLUSTERDOWN The cluster is down", TransientError, 75),
    ("CLUSTERDOWN Hash slot not served", TransientError, 75),
    ("TRYAGAIN Multiple keys request during rehashing of slot", TransientError, 75),
    ("MISCONF Redis is configured to save RDB snapshots, but it can't persist to disk.", TransientError, 75),
    ("BUSY Redis is busy running a script. You can only call SCRIPT KILL.", TransientError, 75),
    ("UNKILLABLE Sorry the script already executed write commands.", TransientError, 75),
    ("UNBLOCKED force unblock from blocking operation, instance state changed", TransientError, 75),
    ("NOGROUP No such key 'signals' or consumer group 'server-b'", TransientError, 75),
    ("ERR problem with LDAP service", TransientError, 75),
    ("no upstream host", TransientError, 75),
    ("upstream failure", TransientError, 75),
    ("ERR Connection refused", TransientError, 75),
    ("OOM command not allowed when used memory > 'maxmemory'.", FullServerError, 75),
    ("EXECABORT Transaction discarded because of previous errors.", NotFinishedError, 75),
    ("READONLY You can't write against a read only replica.", ReadOnlyEndpointError, 78),
    ("NOAUTH Authentication required.", NotAllowedError, 77),
    ("NOAUTH HELLO must be called with the client already authenticated", NotAllowedError, 77),
    ("NOPERM User worker has no permissions to run the 'lpush' command", NotAllowedError, 77),
    ("WRONGPASS invalid username-password pair or user is disabled.", NotAllowedError, 77),
    ("ERR operation not permitted", NotAllowedError, 77),
    ("ERR invalid password", NotAllowedError, 77),
    ("ERR invalid username-password pair", NotAllowedError, 77),
    ("ERR wrong number of arguments for 'auth' command", NotAllowedError, 77),
    ("ERR Client sent AUTH, but no password is set", NotAllowedError, 77),
    (f"ERR {AUTH_WITHOUT_PASSWORD}", NotAllowedError, 77),
    ("DENIED Redis is running in protected mode because protected mode is enabled", NotAllowedError, 77),
    ("ERR ACL failure in script: No permissions to access a key script: on @user_script:1.", NotAllowedError, 77),
    ("ERR The user executing the script can't run this command or subcommand", NotAllowedError, 77),
    *((reply, NotAllowedError, 77) for reply in UNKNOWN_AUTH),
    ("ERR unknown command 'SENTINEL', with args beginning with: 'MASTERS' ", WrongEndpointError, 78),
    ("ERR unknown command `SENTINEL`, with args beginning with: `MASTERS`, ", WrongEndpointError, 78),
    ("ERR unknown command 'XADD', with args beginning with: 'signals' ", UnknownCommandError, 78),
    ("ERR DB index is out of range", WrongEndpointError, 78),
    ("ERR invalid DB index", WrongEndpointError, 78),
    ("ERR SELECT is not allowed in cluster mode", WrongEndpointError, 78),
    ("ERR syntax error", WrongEndpointError, 78),
    ("NOSCRIPT No matching script. Please use EVAL.", WrongEndpointError, 78),
    ("CROSSSLOT Keys in request don't hash to the same slot", WrongEndpointError, 78),
    ("MOVED 3999 127.0.0.1:6381", WrongEndpointError, 78),
    ("ASK 3999 127.0.0.1:6381", WrongEndpointError, 78),
    ("BUSYGROUP Consumer Group name already exists", WrongEndpointError, 78),
    ("WRONGTYPE Operation against a key holding the wrong kind of value", WrongKeyError, 78),
]
WRAPPINGS = [
    "EXECABORT Transaction discarded because of: {reply}",
    "ERR Error running script (call to f_3f9a1c): @user_script:2: {reply}",
    "ERR Error running script (call to f_3f9a1c): @user_script:2: @user_script: 2: -{reply} ",
]


def _translated(reply: str, *, is_cluster: bool = False) -> HandoverError:
    """Return our error for a reply as it stands in the protocol, without the minus sign."""
    error = DefaultParser.parse_error(reply)  # type: ignore[no-untyped-call]
    return translate(error, "redis://h:6379/0", is_cluster=is_cluster)


def _lasting(error: HandoverError) -> HandoverError:
    return error.lasting() if isinstance(error, TransientError) else error


@pytest.mark.parametrize(("reply", "kind", "exit_code"), REPLIES)
def test_error_replies(reply: str, kind: type[HandoverError], exit_code: int) -> None:
    error = _translated(reply)
    assert type(error) is kind
    assert _lasting(error).exit_code == exit_code
    assert str(error).startswith("redis://h:6379/0: expected ")
    assert str(error).isprintable()


@pytest.mark.parametrize("reply", ["MOVED 3999 127.0.0.1:6381", "ASK 3999 127.0.0.1:6381"])
def test_redirections_in_a_cluster_are_transient(reply: str) -> None:
    error = _translated(reply, is_cluster=True)
    assert (type(error), _lasting(error).exit_code) == (TransientError, 75)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize(
    "reply", ["OOM command not allowed", "NOREPLICAS Not enough good replicas", "READONLY You can't", "NOPERM no, you"]
)
def test_the_reason_that_a_reply_wraps_is_what_counts(reply: str, wrapping: str) -> None:
    bare, wrapped = _translated(reply), _translated(wrapping.format(reply=reply))
    assert (type(wrapped), str(wrapped)) == (type(bare), str(bare))


@pytest.mark.parametrize("reply", [*UNKNOWN_AUTH, "ERR unknown command 'X', with args beginning with: 's3cr7t9'"])
def test_what_a_command_was_sent_with_is_not_shown(reply: str) -> None:
    shown = str(_translated(reply))
    assert not [part for part in ("bob", "s3", "cr7", "t9", "with args") if part in shown]


def test_a_login_where_there_is_no_auth_has_advice_of_its_own() -> None:
    error = _translated(UNKNOWN_AUTH[0])
    assert (error.got, error.expected) == ("one that does not know AUTH", "a server that takes a password")
    assert "leave user and password away" in error.advice


def test_protected_mode_says_what_to_do_about_it() -> None:
    error = _translated("DENIED Redis is running in protected mode because " + "x" * 900)
    assert len(str(error)) < 300
    assert "set a password" in error.advice
    assert "bind" in error.advice


def test_a_reply_forges_no_line() -> None:
    assert str(_translated("ERR no\nserver-a: done\x1b[2J")).isprintable()


def test_a_reply_of_another_shape_is_a_server_of_another_kind() -> None:
    error = translate(StrangeReplyError("a reply to TIME of another shape"), "redis://h")
    assert (type(error), error.exit_code) == (WrongEndpointError, 78)
    assert error.got == "a reply to TIME of another shape"
