"""Tokens from Microsoft Entra ID instead of a password; needs the extra `azure`.

DefaultAzureCredential is used for all ways to prove who we are: a service principal (AZURE_CLIENT_ID, AZURE_TENANT_ID,
AZURE_CLIENT_SECRET), a managed identity (AZURE_CLIENT_ID for a user-assigned one), or whoever `az login` left. One
option instead of three: the SDK's own variables say which.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from redis.auth.err import RequestTokenErr
from redis.credentials import StreamingCredentialProvider

from shared.errors import HandoverError, InvalidInputError, NotAllowedError, TransientError

if TYPE_CHECKING:
    from redis.auth.token import TokenInterface

SCOPE = "https://redis.azure.com/.default"
TOKEN_TIMEOUT_S = 10
RENEW_AT_LIFETIME_RATIO = 0.7
# azure-identity hands the same token out until five minutes before its end; redis-py stops renewing when a token it got
# at its last renewal is the old one, so that one has to come later.
RENEW_BEFORE_END_MS = 4 * 60 * 1000


class EntraTokens(StreamingCredentialProvider):
    """A provider's user and token, with our errors; redis-py hands renewed tokens to the connections of its pools."""

    def __init__(self, provider: StreamingCredentialProvider) -> None:
        """Wrap a provider of redis-entraid, which keeps a token and renews it before its end."""
        self._provider = provider
        self._lock = threading.Lock()
        self._has_given_one = False
        self._callbacks: list[Callable[[Any], None]] = []
        # redis-entraid keeps one callback, and a cluster has a pool for each node; without one it renews no token
        provider.on_next(self._hand_out)
        provider.on_error(lambda _error: None)

    def get_credentials(self) -> tuple[str, str]:
        """Return user and token, asking for one when there is none or it is about to end.

        Raises:
            NotAllowedError: We never got one.
            TransientError: We get none now, which may pass.
        """
        try:
            with self._lock:
                user, token = cast("tuple[str, str]", self._provider.get_credentials())
        except RequestTokenErr as error:
            raise self._error(str(error)) from error
        self._has_given_one = True
        return user, token

    def on_next(self, callback: Callable[[Any], None]) -> None:
        """Have redis-py's callback, one for each pool, called with each renewed token."""
        self._callbacks.append(callback)

    def on_error(self, callback: Callable[[Exception], None]) -> None:
        """Leave a failed renewal unsaid: the next connection asks for a token again, and says so if there is none."""

    def is_streaming(self) -> bool:
        """Return whether tokens are being renewed."""
        return self._provider.is_streaming()

    def _hand_out(self, token: TokenInterface) -> None:
        for callback in list(self._callbacks):
            callback(token)

    def _error(self, text: str) -> HandoverError:
        got = text.partition("\n")[0].rstrip(". ") or "none"
        where, expected = "--auth entra", "a token from Microsoft Entra ID"
        if self._has_given_one:
            return TransientError(where=where, expected=expected, got=got)
        advice = (
            "az login, or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, or give the host an identity"
        )
        return NotAllowedError(where=where, expected=expected, got=got, advice=advice)


def entra_provider() -> EntraTokens:
    """Return a provider that fetches a token when one is needed and renews it before its end.

    The requests themselves are given a time limit: redis-entraid's own (100 ms) is read by nobody when commands are
    sent by threads, and azure-identity's is five minutes.

    Raises:
        InvalidInputError: The extra `azure` is not installed.
    """
    try:
        from redis_entraid.cred_provider import (
            RetryPolicy,
            TokenManagerConfig,
            create_from_default_azure_credential,
        )
    except ImportError as error:
        raise InvalidInputError(
            where="--auth entra", expected="the extra azure", got="none", advice="pip install 'redis-handover[azure]'"
        ) from error
    for library in ("azure", "redis.auth", "redis_entraid"):
        logging.getLogger(library).addHandler(logging.NullHandler())  # what fails is in the error, in one sentence
    config = TokenManagerConfig(
        expiration_refresh_ratio=RENEW_AT_LIFETIME_RATIO,
        lower_refresh_bound_millis=RENEW_BEFORE_END_MS,
        token_request_execution_timeout_in_ms=TOKEN_TIMEOUT_S * 1_000,
        retry_policy=RetryPolicy(max_attempts=0, delay_in_ms=0),  # azure-identity's one is enough
    )
    limits = {"retry_total": 1, "connection_timeout": TOKEN_TIMEOUT_S, "read_timeout": TOKEN_TIMEOUT_S}
    provider = create_from_default_azure_credential((SCOPE,), app_kwargs=limits, token_manager_config=config)
    return EntraTokens(provider)
