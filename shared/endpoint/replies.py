"""What an error reply says, in a form that may be shown and judged.

Servers quote what they were sent: an unknown command with its arguments, of which AUTH has the password. And they wrap
the reason why a transaction or a script was given up in a sentence of its own, under another code than the reason's.
"""

from __future__ import annotations

import re

from redis.connection import DefaultParser
from redis.exceptions import ResponseError

from shared.text import shown_text

_QUOTED_ARGUMENTS = re.compile(r",? with args beginning with\b.*", re.DOTALL | re.IGNORECASE)
_WRAPPED_REASON = re.compile(
    r"(?:Transaction discarded because of: "
    r"|Error running script \(call to \w+\): (?:@user_script: ?[0-9]+: )*)"
    r"-?(?P<reason>[A-Z]{3,} .*)",
    re.DOTALL,
)


class StrangeReplyError(ResponseError):
    """A reply of another shape than the command's documentation has."""


def reason_of(error: Exception) -> Exception:
    """Return the error that a reply wraps: why EXEC was refused, or what a command in a script met; else itself.

    Source:
        EXEC of Redis 7.0 and Valkey 9.1 while memory is full, replicas lack, or the server has become a replica; EVAL
        of Redis 6.2.
    """
    wrapped = _WRAPPED_REASON.match(str(error)) if isinstance(error, ResponseError) else None
    if wrapped is None:
        return error
    reason: Exception = DefaultParser.parse_error(wrapped["reason"].strip())  # type: ignore[no-untyped-call]
    return reason


def reply_text(error: Exception) -> str:
    """Return the text of an error on one line, without the arguments that an unknown command was sent with."""
    return shown_text(_QUOTED_ARGUMENTS.sub("", str(error)))
