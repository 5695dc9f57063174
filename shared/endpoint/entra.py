"""Tokens from Microsoft Entra ID instead of a password; needs the extra `azure`.

DefaultAzureCredential finds the identity by the SDK's own variables, so one option is enough: a service principal
(AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_CLIENT_SECRET), a managed identity, or the user of `az login`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakMethod

from redis.auth.err import RequestTokenErr
from redis.credentials import StreamingCredentialProvider

from shared.endpoint.passwords import remember_sent
from shared.errors import HandoverError, InvalidInputError, NotAllowedError, TransientError

if TYPE_CHECKING:
    from redis.auth.token import TokenInterface

SCOPE = "https://redis.azure.com/.default"
TOKEN_TIMEOUT_S = 10
RENEW_AT_LIFETIME_RATIO = 0.7
_ADVICE = "az login, or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, or give the host an identity"
# azure-identity returns the same token until five minutes before its end, and redis-py stops renewing when it gets the
# old token again, so its last renewal has to come later.
RENEW_BEFORE_END_MS = 4 * 60 * 1000


class EntraTokens(StreamingCredentialProvider):
    """A redis-entraid provider, which renews its token before its end, with our errors and for several pools."""

    def __init__(self, provider: StreamingCredentialProvider) -> None:
        self._provider = provider
        self._lock = threading.Lock()
        self._callbacks_lock = threading.Lock()
        self._has_given_one = False
        self._callbacks: list[WeakMethod[Callable[[Any], None]]] = []  # else each kept the pools of a closed endpoint
        # redis-entraid keeps only one callback, and a cluster has a pool for each node; without any it renews no token
        provider.on_next(self._hand_out)
        provider.on_error(lambda _error: None)

    def get_credentials(self) -> tuple[str, str]:
        """Return user and token; raise NotAllowedError if we never got one, TransientError if we get none now."""
        try:
            with self._lock:
                user, token = cast("tuple[str, str]", self._provider.get_credentials())
        except RequestTokenErr as error:
            raise self._error(str(error)) from error
        self._has_given_one = True
        remember_sent(token)
        return user, token

    def on_next(self, callback: Callable[[Any], None]) -> None:
        """Add the callback of a client, a method, for each renewed token as long as the client is there."""
        with self._callbacks_lock:
            self._callbacks = [each for each in self._callbacks if each() is not None] + [WeakMethod(callback)]

    def on_error(self, callback: Callable[[Exception], None]) -> None:
        """Ignore a failed renewal: the next connection asks for a token again, and raises if there is none."""

    def is_streaming(self) -> bool:
        """Return whether tokens are being renewed."""
        return self._provider.is_streaming()

    def _hand_out(self, token: TokenInterface) -> None:
        remember_sent(str(token.get_value()))
        for each in self._callbacks:  # which is replaced, never changed
            if (callback := each()) is not None:
                callback(token)

    def _error(self, text: str) -> HandoverError:
        got = text.partition("\n")[0].rstrip(". ") or "none"
        where, expected = "--auth entra", "a token from Microsoft Entra ID"
        if self._has_given_one:
            return TransientError(where=where, expected=expected, got=got)
        return NotAllowedError(where=where, expected=expected, got=got, advice=_ADVICE)


@cache
def entra_provider() -> EntraTokens:
    """Return this process's provider, which fetches a token when one is needed.

    All endpoints share it: redis-entraid renews a token in a thread that never ends, and `server-a run --every` opens
    an endpoint for each run. Raises InvalidInputError without the extra `azure`.
    """
    try:
        from redis_entraid import cred_provider as entraid
    except ImportError as error:
        expected, advice = "the extra azure", "pip install 'redis-handover[azure]'"
        raise InvalidInputError(where="--auth entra", expected=expected, got="none", advice=advice) from error
    for library in ("azure", "redis.auth", "redis_entraid"):
        logging.getLogger(library).addHandler(logging.NullHandler())  # what fails is in the error, in one sentence
    config = entraid.TokenManagerConfig(
        expiration_refresh_ratio=RENEW_AT_LIFETIME_RATIO,
        lower_refresh_bound_millis=RENEW_BEFORE_END_MS,
        token_request_execution_timeout_in_ms=TOKEN_TIMEOUT_S * 1_000,
        retry_policy=entraid.RetryPolicy(max_attempts=0, delay_in_ms=0),  # azure-identity's one is enough
    )
    # redis-entraid's own time limit (100 ms) has no effect on synchronous requests, and azure-identity's is 5 minutes
    limits = {"retry_total": 1, "connection_timeout": TOKEN_TIMEOUT_S, "read_timeout": TOKEN_TIMEOUT_S}
    return EntraTokens(
        entraid.create_from_default_azure_credential((SCOPE,), app_kwargs=limits, token_manager_config=config)
    )
