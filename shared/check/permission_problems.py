"""What the server's answers to our rights mean, as sentences. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from shared.check.findings import Trouble
from shared.check.permissions import Answer
from shared.errors import (
    NotAllowedError,
    NotFinishedError,
    ReadOnlyEndpointError,
    TransientError,
    WrongEndpointError,
)


def right_troubles(answers: Iterable[Answer], program: str) -> list[Trouble]:
    """Return what keeps `run` from its job: a sentence for each key that lacks rights, and why writes are refused."""
    answers = list(answers)
    cure = f"grant it as deploy/acl/{program}.acl does"
    missing = [answer for answer in answers if answer.right.is_needed and isinstance(answer.error, NotAllowedError)]
    troubles = [Trouble(f"{text}; {cure}", NotAllowedError.exit_code) for text in _by_key(missing, "is not allowed")]
    unknown = [answer for answer in answers if answer.right.is_needed and answer.is_unknown]
    troubles += [
        Trouble(f"{text}; enable it, or use another server", WrongEndpointError.exit_code)
        for text in _by_key(unknown, "is not known to the server")
    ]
    return troubles + _refused_writes(answers)


def right_notes(answers: Iterable[Answer]) -> list[str]:
    """Return which commands of the program can't be used here, though `run` can."""
    lacking: dict[str, list[str]] = defaultdict(list)
    for answer in answers:
        if not answer.right.is_needed and not answer.is_allowed:
            lacking[answer.right.purpose].append(_spelled(answer))
    return [f"not allowed: {', '.join(names)}; only {purpose} needs it" for purpose, names in lacking.items()]


def _by_key(answers: list[Answer], what: str) -> list[str]:
    """Return a sentence for each key and purpose."""
    commands: dict[tuple[str, str], list[str]] = defaultdict(list)
    for answer in answers:
        commands[answer.right.key, answer.right.purpose].append(answer.right.name)
    return [
        f"{', '.join(dict.fromkeys(names))}{f' on {key}' if key else ''} {what}, needed to {purpose}"
        for (key, purpose), names in commands.items()
    ]


def _spelled(answer: Answer) -> str:
    return f"{answer.right.name} on {answer.right.key}" if answer.right.key else answer.right.name


def _refused_writes(answers: Iterable[Answer]) -> list[Trouble]:
    """Return why the server takes no writes now, once for each reason."""
    found: dict[str, Trouble] = {}
    for answer in answers:
        error = answer.error
        if isinstance(error, (NotFinishedError, TransientError)):
            is_wrong_kind = isinstance(error, ReadOnlyEndpointError)
            code = WrongEndpointError.exit_code if is_wrong_kind else NotFinishedError.exit_code
            found.setdefault(str(error), Trouble(str(error), code))
    return list(found.values())
