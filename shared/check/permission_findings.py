"""What the answers about permissions mean for the program. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from shared.check.findings import Problem
from shared.check.permissions import Answer
from shared.errors import (
    NotAllowedError,
    NotFinishedError,
    ReadOnlyEndpointError,
    TransientError,
    WrongEndpointError,
)


def permission_problems(answers: list[Answer], program: str) -> list[Problem]:
    """Return what keeps `run` from its job: a sentence for each key, and why writes are refused."""
    needed = [answer for answer in answers if answer.permission.is_needed]
    denied = [answer for answer in needed if isinstance(answer.error, NotAllowedError)]
    unknown = [answer for answer in needed if answer.is_unknown]
    return [
        *_lacking(denied, "is not allowed", f"grant it as deploy/acl/{program}.acl does", NotAllowedError.exit_code),
        *_lacking(
            unknown, "is not known to the server", "enable it, or use another server", WrongEndpointError.exit_code
        ),
        *_refused_writes(answers),
    ]


def _lacking(answers: list[Answer], what: str, cure: str, exit_code: int) -> Iterator[Problem]:
    """Yield a problem for each key and purpose."""
    commands: dict[tuple[str, str], list[str]] = defaultdict(list)
    for answer in answers:
        commands[answer.permission.key, answer.permission.purpose].append(answer.permission.name)
    for (key, purpose), names in commands.items():
        subject = ", ".join(dict.fromkeys(names)) + (f" on {key}" if key else "")
        yield Problem(f"{subject} {what}, needed to {purpose}; {cure}", exit_code)


def permission_notes(answers: list[Answer]) -> list[str]:
    """Return which other commands of the program can't be used here, though `run` can."""
    lacking: dict[str, list[str]] = defaultdict(list)
    for answer in answers:
        permission = answer.permission
        if not permission.is_needed and not answer.is_allowed:
            where = f" on {permission.key}" if permission.key else ""
            lacking[permission.purpose].append(f"{permission.name}{where}")
    return [f"not allowed: {', '.join(names)}; only {purpose} needs it" for purpose, names in lacking.items()]


def _refused_writes(answers: list[Answer]) -> list[Problem]:
    """Return why the server takes no writes now, each reason once."""
    found: dict[str, Problem] = {}
    for answer in answers:
        error = answer.error
        if isinstance(error, (NotFinishedError, TransientError)):
            kind = WrongEndpointError if isinstance(error, ReadOnlyEndpointError) else NotFinishedError
            found.setdefault(str(error), Problem(str(error), kind.exit_code))
    return list(found.values())
