"""`wavefront_sdk.auth.csp.csp_token_service`."""

from __future__ import annotations

from typing import Final

from wf_instrument.backends.wavefront.csp import (
    REQUEST_TIMEOUT_S,
    CspApiToken,
    CspOAuthApp,
    CspTokenSource,
)
from wf_instrument.compat.wavefront_sdk.auth.csp.csp_request import (
    CSPAPIToken,
    CSPClientCredentials,
)
from wf_instrument.compat.wavefront_sdk.auth.csp.token_service import TokenService

__all__ = [
    "CSP_API_TOKEN_SERVICE_TYPE",
    "CSP_OAUTH_TOKEN_SERVICE_TYPE",
    "CSP_REQUEST_TIMEOUT_SEC",
    "CSPAccessTokenService",
    "TokenService",
]

CSP_API_TOKEN_SERVICE_TYPE: Final = "API_TOKEN"  # noqa: S105 - a kind, no token
CSP_OAUTH_TOKEN_SERVICE_TYPE: Final = "OAUTH"  # noqa: S105 - as above
CSP_REQUEST_TIMEOUT_SEC: Final = int(REQUEST_TIMEOUT_S)


class CSPAccessTokenService(TokenService):
    """Gives tokens for credentials, and renews them in time.

    Args:
        csp_type: `CSP_API_TOKEN_SERVICE_TYPE` or `CSP_OAUTH_TOKEN_SERVICE_TYPE`.
        csp_service: The credentials.
    """

    def __init__(self, csp_type: str, csp_service: CSPAPIToken | CSPClientCredentials) -> None:
        self._type = csp_type
        credentials: CspApiToken | CspOAuthApp
        if isinstance(csp_service, CSPAPIToken):
            credentials = CspApiToken(csp_service.api_token)
        else:
            credentials = CspOAuthApp(
                csp_service.client_id, csp_service.client_secret, csp_service.org_id
            )
        self._source = CspTokenSource(credentials, csp_service.base_url)

    def get_type(self) -> str:
        """Return the kind of credentials."""
        return self._type

    def get_token(self) -> str:
        """Return a token that is valid, asking for one if need be.

        Raises:
            SendError: None could be had.
        """
        return self._source.token()

    def get_csp_access_token(self) -> str:
        """Return a new token, even if the last one is still valid. Raises as `get_token`."""
        self._source.forget()
        return self._source.token()
