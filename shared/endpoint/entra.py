"""Tokens from Microsoft Entra ID instead of a password; needs the extra `azure`.

DefaultAzureCredential is used for all ways to prove who we are: a service principal (AZURE_CLIENT_ID, AZURE_TENANT_ID,
AZURE_CLIENT_SECRET), a managed identity (AZURE_CLIENT_ID for a user-assigned one), or whoever `az login` left. One
option instead of three: the SDK's own variables say which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import InvalidInputError

if TYPE_CHECKING:
    from redis.credentials import CredentialProvider

SCOPE = "https://redis.azure.com/.default"
TOKEN_TIMEOUT_MS = 10_000
RENEW_AT_LIFETIME_RATIO = 0.7
RENEW_BEFORE_END_MS = 5 * 60 * 1000


def entra_provider() -> CredentialProvider:
    """Return a provider that fetches a token when one is needed and renews it before its end.

    The package's default gives a token request 100 ms, which a managed identity's first one does not meet.

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
            where="--auth entra", expected="the extra azure", got="none", advice="pip install 'handover[azure]'"
        ) from error
    config = TokenManagerConfig(
        expiration_refresh_ratio=RENEW_AT_LIFETIME_RATIO,
        lower_refresh_bound_millis=RENEW_BEFORE_END_MS,
        token_request_execution_timeout_in_ms=TOKEN_TIMEOUT_MS,
        retry_policy=RetryPolicy(max_attempts=3, delay_in_ms=1_000),
    )
    provider: CredentialProvider = create_from_default_azure_credential((SCOPE,), token_manager_config=config)
    return provider
