"""How a program ends that can't do its job: one sentence, and nothing of a password."""

from __future__ import annotations

import re

from tests.stage.programs import Finished

SECRET = "s3cr7t9"
_PARTS = ("s3", "cr7", "t9")
_TEMPORARY = re.compile(r"handover-(?:tests-)?[a-z0-9_]{8}\b")  # a directory's name, in which chance can spell a part


def require_sentence(ended: Finished, code: int, *parts: str) -> None:
    """Check that a program ended with a code and one sentence that has these parts."""
    assert ended.exit_code == code, ended
    assert ended.stdout == ""
    assert re.fullmatch(r"server-[ab]: [^\n]+: expected [^\n]+, got [^\n]+\n", ended.stderr), ended.stderr
    assert all(part in ended.stderr for part in parts), ended.stderr


def require_no_secret(ended: Finished) -> None:
    """Check that no part of a password was written anywhere."""
    written = _TEMPORARY.sub("", ended.stdout + ended.stderr)
    assert not [part for part in _PARTS if part in written], written
