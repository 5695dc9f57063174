"""What can go wrong, as one tree; each leaf knows the exit code it ends a program with.

    HandoverError
    ├── InvalidInputError          2   an option, an id, a file: the caller can mend it
    ├── VerificationFailedError   65   the values that arrived are not the values that were sent
    ├── EndpointUnreachableError  69   no server answers at the URL, or not for as long as is retried
    ├── NotFinishedError          75   memory, replicas, a stop request, nothing came in time: run it again
    │   ├── SupersededError            a newer run has taken the segment over
    │   └── SegmentChangedError        the list was touched while it was read: read it again, or look what came
    ├── NotAllowedError           77   password or permission
    │   └── CertificateError           a certificate that does not verify
    ├── WrongEndpointError        78   a server of another kind than this command needs
    │   ├── UnknownCommandError        the server has no such command
    │   └── WrongKeyError              a key that holds something else than this product's data
    └── TransientError            69   a fault that may pass; `Retry` catches it and bounds the waiting
        ├── OutcomeUnknownError        the connection was lost with a transaction under way
        └── ReadOnlyEndpointError 78   a primary that has just become a replica

The exit codes are those of sysexits.h, so a supervisor can tell "again later" (75, 69) from "never like this" (2, 77,
78). Each error takes keyword data and keeps it: tests and callers read attributes, only people read the text.
"""

from __future__ import annotations


class HandoverError(Exception):
    """The base of every error a program reports as one sentence on stderr."""

    exit_code = 1

    def __init__(self, *, where: str, expected: str, got: str, advice: str = "") -> None:
        """Keep the parts of the sentence `where: expected x, got y; advice`.

        Args:
            where: The option, key or endpoint concerned; never holds a password.
            expected: What would have been right.
            got: What was found instead.
            advice: What to do about it, if that does not follow from the rest.
        """
        self.where = where
        self.expected = expected
        self.got = got
        self.advice = advice
        super().__init__(where, expected, got, advice)

    def __str__(self) -> str:
        """Return the sentence people read."""
        sentence = f"{self.where}: expected {self.expected}, got {self.got}"
        return f"{sentence}; {self.advice}" if self.advice else sentence


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
        """Keep also whether a server answered (then the fault ends in 75), or none did (69)."""
        super().__init__(where=where, expected=expected, got=got, advice=advice)
        self.answered = answered

    def lasting(self) -> HandoverError:
        """Return the error to end with when the fault has lasted for too long."""
        kind = NotFinishedError if self.answered else EndpointUnreachableError
        return kind(where=self.where, expected=self.expected, got=self.got, advice=self.advice)


class NotFinishedError(HandoverError):
    """The job is not done, nothing is lost, and the same command may finish it later."""

    exit_code = 75


class SupersededError(NotFinishedError):
    """A newer run has published a segment of this one."""


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


class WrongKeyError(WrongEndpointError):
    """A key of ours holds something of another type, or somebody else's data."""


class OutcomeUnknownError(TransientError):
    """The connection was lost with a transaction under way, which may have been carried out."""


class ReadOnlyEndpointError(TransientError):
    """The server refuses writes: a primary that has become a replica, perhaps only until we have found the new one."""

    exit_code = 78

    def lasting(self) -> HandoverError:
        """Return the error to end with when it stays one."""
        return WrongEndpointError(where=self.where, expected=self.expected, got=self.got, advice=self.advice)
