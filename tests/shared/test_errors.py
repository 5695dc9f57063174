"""The tree of errors: each class's exit code, and the sentence people read."""

from __future__ import annotations

import pickle

import pytest

from shared import errors
from shared.errors import (
    CertificateError,
    EndpointUnreachableError,
    FullServerError,
    HandoverError,
    InvalidInputError,
    LongReplyError,
    NotAllowedError,
    NotFinishedError,
    OutcomeUnknownError,
    ReadOnlyEndpointError,
    SegmentChangedError,
    SupersededError,
    TransientError,
    UnknownCommandError,
    VerificationFailedError,
    WrongEndpointError,
    WrongKeyError,
)

EXIT_CODES: dict[type[HandoverError], int] = {
    InvalidInputError: 2,
    VerificationFailedError: 65,
    EndpointUnreachableError: 69,
    TransientError: 69,
    OutcomeUnknownError: 69,
    NotFinishedError: 75,
    FullServerError: 75,
    SupersededError: 75,
    SegmentChangedError: 75,
    NotAllowedError: 77,
    CertificateError: 77,
    WrongEndpointError: 78,
    UnknownCommandError: 78,
    LongReplyError: 78,
    WrongKeyError: 78,
    ReadOnlyEndpointError: 78,
}


@pytest.mark.parametrize(("kind", "exit_code"), EXIT_CODES.items())
def test_exit_codes(kind: type[HandoverError], exit_code: int) -> None:
    error = kind(where="here", expected="this", got="that")
    assert error.exit_code == exit_code
    assert isinstance(error, HandoverError)


def test_every_error_has_its_exit_code_here_and_its_place_in_the_drawing() -> None:
    classes = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HandoverError)}
    assert classes - {HandoverError} == set(EXIT_CODES)
    assert errors.__doc__ is not None
    for kind in classes:
        assert kind.__name__ in errors.__doc__
        assert kind.__name__.endswith("Error")


@pytest.mark.parametrize("kind", EXIT_CODES)
def test_the_parts_of_the_sentence_are_kept(kind: type[HandoverError]) -> None:
    error = kind(where="--count", expected="a number", got="'x'", advice="write digits")
    assert (error.where, error.expected, error.got, error.advice) == ("--count", "a number", "'x'", "write digits")
    assert str(error) == "--count: expected a number, got 'x'; write digits"


def test_advice_may_be_left_out() -> None:
    assert str(InvalidInputError(where="--count", expected="a number", got="'x'")) == (
        "--count: expected a number, got 'x'"
    )


@pytest.mark.parametrize(
    ("answered", "kind"), [("no", EndpointUnreachableError), ("yes", NotFinishedError)], ids=["silent", "answered"]
)
def test_a_lasting_fault_is_told_by_whether_a_server_answered(answered: str, kind: type[HandoverError]) -> None:
    error = TransientError(where="w", expected="e", got="g", advice="a", answered=answered == "yes")
    lasting = error.lasting()
    assert type(lasting) is kind
    assert str(lasting) == str(error)


@pytest.mark.parametrize("kind", EXIT_CODES)
def test_an_error_of_another_process_is_the_same_error(kind: type[HandoverError]) -> None:
    error = kind(where="a key", expected="this", got="that", advice="do something")
    if isinstance(error, TransientError):
        error.answered = True
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert type(copy) is kind
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)
