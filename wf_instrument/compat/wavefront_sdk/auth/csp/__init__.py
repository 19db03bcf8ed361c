"""`wavefront_sdk.auth.csp`."""

from wf_instrument.compat.wavefront_sdk.auth.csp.authorize_response import AuthorizeResponse
from wf_instrument.compat.wavefront_sdk.auth.csp.csp_request import (
    CSPAPIToken,
    CSPClientCredentials,
)
from wf_instrument.compat.wavefront_sdk.auth.csp.csp_token_service import CSPAccessTokenService
from wf_instrument.compat.wavefront_sdk.auth.csp.token_service_factory import TokenServiceProvider

__all__ = [
    "AuthorizeResponse",
    "CSPAPIToken",
    "CSPAccessTokenService",
    "CSPClientCredentials",
    "TokenServiceProvider",
]
