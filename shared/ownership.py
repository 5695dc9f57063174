"""Whether a key is ours: decided by what it holds, never by its name alone.

Somebody else may use our names in the same database. What we did not write we neither change nor remove, so whoever is
about to write to or remove a key asks here first. Only what every schema version has in common counts: the entries of a
newer version are ours too. Deciding by the type alone was rejected: a `signals` stream may be anybody's.

Pure: the functions take replies, in the shapes that redis-py gives them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.entry_ids import is_entry_id
from shared.errors import InvalidInputError, WrongKeyError
from shared.reading import ReadingNote
from shared.state import SegmentState
from shared.tokens import is_token
from shared.verdict import FAILED, SUPERSEDED, VERIFIED

NAMESPACE_ADVICE = "use --namespace to write beside it"
RECORD_FIELDS = ("schema_version", "run_id")

_VERSION = rb"[1-9][0-9]{0,8}"
_SEGMENT = rb"[1-9][0-9]{0,8}"
_OF_A_VERDICT = (b'{"verdict":"', b'"attempt":"', b'"segment":', b'"digest":"', b'"reason":"')

Entries = Iterable[Any]
"""Stream entries as XRANGE and its kin return them: pairs of id and fields, the latter None for a trimmed one."""


def is_signal(fields: Mapping[bytes, bytes] | None) -> bool:
    """Tell whether a stream entry is a signal of any schema version: a version, a run id and a segment's number."""
    return (
        fields is not None
        and _is(_VERSION, fields, b"schema_version")
        and _is(_SEGMENT, fields, b"segment")
        and _is_token(fields, b"run_id")
    )


def is_letter(fields: Mapping[bytes, bytes] | None) -> bool:
    """Tell whether a stream entry is a dead letter: a reason, a consumer and the id of the entry that it stands for."""
    return (
        fields is not None and b"reason" in fields and b"consumer" in fields and is_entry_id(fields.get(b"origin", b""))
    )


def is_record(run_id: str, values: Sequence[bytes | None]) -> bool:
    """Tell whether HMGET of `RECORD_FIELDS` is from the record of a run: of some version, and of this very run."""
    version, found = values
    return re.fullmatch(_VERSION, version or b"") is not None and found == run_id.encode()


def is_verdict(field: bytes, raw: bytes) -> bool:
    """Tell whether a field of a result holds a verdict of any version on the segment that it is named for."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):  # RecursionError: JSON nested a thousand deep
        return False
    return (
        isinstance(found, dict)
        and found.get("verdict") in (VERIFIED, FAILED, SUPERSEDED)
        and isinstance(attempt := found.get("attempt"), str)
        and is_token(attempt)
        and re.fullmatch(_SEGMENT, field) is not None
        and found.get("segment") == int(field)
    )


def is_damaged_verdict(field: bytes, raw: bytes) -> bool:
    """Tell whether a field of a result holds what must have been a verdict of ours: a bit was flipped on its way."""
    found = sum(text in raw for text in _OF_A_VERDICT)
    return re.fullmatch(_SEGMENT, field) is not None and found >= len(_OF_A_VERDICT) - 1


def is_result(fields: Mapping[bytes, bytes]) -> bool:
    """Tell whether the fields of a result, or some of them, are all verdicts; False where there is none."""
    return bool(fields) and all(is_verdict(field, raw) for field, raw in fields.items())


def are_readings(fields: Mapping[bytes, bytes]) -> bool:
    """Tell whether fields, or some of them, all say how far a consumer has read; False where there is none."""
    return bool(fields) and all(ReadingNote.decode(raw) is not None for raw in fields.values())


def is_canary(length: int, sent: bytes | None) -> bool:
    """Tell whether a hash of so many fields is a probe of ours: only the field `sent`, a token."""
    return length == 1 and is_token((sent or b"").decode("ascii", "backslashreplace"))


def our_state(key: str, values: Sequence[Any], *, exists: bool) -> SegmentState | None:
    """Return the state from HMGET's reply, None when there is none.

    Raises WrongKeyError if a key is there (`exists`) that we did not write: a hash of other fields reads back empty.
    """
    state = SegmentState.decode(key, values)
    if state is None and exists:
        raise foreign_error(key, "no key, or the state of a segment", "a key of somebody else's")
    return state


def require_our_signals(key: str, entries: Entries, groups: Iterable[Mapping[str, Any]]) -> None:
    """Raise WrongKeyError if a stream under the signals' name is somebody else's.

    It is ours if one of its oldest and newest entries is a signal; a bad entry among ours is a dead letter. An empty
    one is ours too, unless only others have groups in it, to whom our signals would be delivered.
    """
    from shared.signal import CONSUMER_GROUP  # which the commands of the shop need not import

    entries = iter(entries)
    first = next(entries, None)
    if first is None:
        names = [group["name"] for group in groups]
        if names and CONSUMER_GROUP.encode() not in names:
            raise foreign_error(key, "no stream, or one with signals", "an empty one that others have groups in")
    elif not (is_signal(first[1]) or any(is_signal(fields) for _, fields in entries)):
        raise foreign_error(key, "no stream, or one with signals", "entries of somebody else's")


def require_our_letters(key: str, entries: Entries) -> None:
    """Raise WrongKeyError if a stream under the dead letters' name is somebody else's; an empty one is not."""
    entries = iter(entries)
    first = next(entries, None)
    if first is not None and not (is_letter(first[1]) or any(is_letter(fields) for _, fields in entries)):
        raise foreign_error(key, "no stream, or one with dead letters", "entries of somebody else's")


def require_our_result(key: str, some: Mapping[bytes, bytes]) -> None:
    """Raise WrongKeyError if some fields of what is under a result's name hold no verdict, as all of ours do.

    One that was damaged is ours: else no verdict on another segment would be recorded beside it, nor it be replaced.
    """
    if some and not any(is_verdict(field, raw) or is_damaged_verdict(field, raw) for field, raw in some.items()):
        raise foreign_error(key, "no key, or verdicts on a run", "a hash of somebody else's")


def require_our_record(key: str, run_id: str, record_run_id: str) -> None:
    """Raise InvalidInputError if the record under a run's key is that of another run."""
    if record_run_id != run_id:
        raise InvalidInputError(where=f"{key} run_id", expected=run_id, got=record_run_id)


def foreign_error(key: str, expected: str, got: str) -> WrongKeyError:
    """Return the error for a key of somebody else's, with the cure."""
    return WrongKeyError(where=key, expected=expected, got=got, advice=NAMESPACE_ADVICE)


def _is(pattern: bytes, fields: Mapping[bytes, bytes], name: bytes) -> bool:
    return re.fullmatch(pattern, fields.get(name, b"")) is not None


def _is_token(fields: Mapping[bytes, bytes], name: bytes) -> bool:
    return is_token(fields.get(name, b"").decode("ascii", "backslashreplace"))
