"""Replies that are not believed, as redis-py's callers see them; `shared.endpoint.translation` says what they mean."""

from __future__ import annotations

from redis.exceptions import InvalidResponse, ResponseError


class StrangeReplyError(ResponseError):
    """A reply of another shape than the command's documentation says; the connection goes on."""


class ReplyLimitError(InvalidResponse):
    """A reply that goes on beyond what was asked for; its connection is closed."""
