"""What can go wrong, as one tree; each class has the exit code of a program that it ends.

    HandoverError
    ├── InvalidInputError          2   an option, an id, a file: the caller can correct it
    ├── VerificationFailedError   65   the values that arrived are not the values that were sent
    ├── EndpointUnreachableError  69   no server answers at the URL, or not for as long as is retried
    ├── NotFinishedError          75   memory, replicas, a stop request, nothing came in time: run it again
    │   ├── FullServerError            the server has no memory left for what was to be written
    │   ├── SupersededError            a newer run has published a segment of this one
    │   └── SegmentChangedError        a segment was replaced or touched while it was read
    ├── NotAllowedError           77   password or permission
    │   └── CertificateError           a certificate that does not verify
    ├── WrongEndpointError        78   a server of another kind than this command needs
    │   ├── UnknownCommandError        the server has no such command
    │   ├── LongReplyError             a reply that goes on beyond what was asked for
    │   └── WrongKeyError              a key that holds something else than this product's data
    └── TransientError            69   a fault that may pass; `Retry` tries again, for a bounded time
        ├── OutcomeUnknownError        the connection was lost with a transaction under way
        └── ReadOnlyEndpointError 78   a primary that has just become a replica

The exit codes are those of sysexits.h, so a supervisor can tell what to run again (75, 69) from what needs a change
first (2, 77, 78). Errors keep their data as attributes for tests and callers; only people read the text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class HandoverError(Exception):
    """The base of every error that a program reports as one sentence on stderr."""

    exit_code = 1

    def __init__(self, *, where: str, expected: str, got: str, advice: str = "") -> None:
        self.where = where  # the option, key or endpoint concerned; never holds a password
        self.expected = expected
        self.got = got
        self.advice = advice  # what to do, unless the rest says it
        super().__init__(where, expected, got, advice)

    def __reduce__(self) -> tuple[Callable[..., HandoverError], tuple[object, ...]]:
        """Let it be pickled, as an error of another process is; the cause stays behind."""
        return _made_again, (type(self), vars(self))

    def __str__(self) -> str:
        sentence = f"{self.where}: expected {self.expected}, got {self.got}"
        return f"{sentence}; {self.advice}" if self.advice else sentence


def _made_again(kind: type[HandoverError], attributes: dict[str, Any]) -> HandoverError:
    return kind(**attributes)


class InvalidInputError(HandoverError):
    """An option, an id, a quantity or a file that can't be used as it is."""

    exit_code = 2


class VerificationFailedError(HandoverError):
    """The list that was read is not the list that was announced."""

    exit_code = 65


class EndpointUnreachableError(HandoverError):
    """No server answered at the URL for as long as was retried."""

    exit_code = 69


class TransientError(HandoverError):
    """A transient fault: a lost connection, or a server that loads, fails over or lacks replicas and says so."""

    exit_code = 69

    def __init__(self, *, where: str, expected: str, got: str, advice: str = "", answered: bool = False) -> None:
        super().__init__(where=where, expected=expected, got=got, advice=advice)
        self.answered = answered  # whether a server answered; if the fault lasts, the exit code is then 75, not 69

    def lasting(self) -> HandoverError:
        """Return the error to end with when the fault has lasted for too long."""
        kind = NotFinishedError if self.answered else EndpointUnreachableError
        return kind(where=self.where, expected=self.expected, got=self.got, advice=self.advice)


class NotFinishedError(HandoverError):
    """The job is not done, nothing is lost, and running the command again may finish it."""

    exit_code = 75


class SupersededError(NotFinishedError):
    """A newer run, `by`, has published a segment of this one."""

    def __init__(self, *, where: str, expected: str, got: str, by: str = "", advice: str = "") -> None:
        super().__init__(where=where, expected=expected, got=got, advice=advice)
        self.by = by


class FullServerError(NotFinishedError):
    """The server has no memory left for what was to be written."""

    def passing(self) -> TransientError:
        """Return it as a fault that may pass, for who waits until others have made room."""
        return TransientError(where=self.where, expected=self.expected, got=self.got, advice=self.advice, answered=True)


class SegmentChangedError(NotFinishedError):
    """A segment was replaced or touched while it was read."""


class NotAllowedError(HandoverError):
    """A wrong password, a missing permission, or a certificate that does not verify."""

    exit_code = 77


class CertificateError(NotAllowedError):
    """A certificate that does not verify."""


class WrongEndpointError(HandoverError):
    """A server or a key of a kind this command can't work with."""

    exit_code = 78


class UnknownCommandError(WrongEndpointError):
    """The server has no such command, or has it under another name."""


class LongReplyError(WrongEndpointError):
    """A reply that goes on beyond what was asked for."""


class WrongKeyError(WrongEndpointError):
    """A key of ours holds something of another type, or somebody else's data."""


class OutcomeUnknownError(TransientError):
    """The connection was lost during a transaction, which may have been executed."""


class ReadOnlyEndpointError(TransientError):
    """The server refuses writes: a primary that became a replica. Retrying may find the new primary."""

    exit_code = 78

    def lasting(self) -> HandoverError:
        """Return the error to end with when no primary was found in time."""
        return WrongEndpointError(where=self.where, expected=self.expected, got=self.got, advice=self.advice)
