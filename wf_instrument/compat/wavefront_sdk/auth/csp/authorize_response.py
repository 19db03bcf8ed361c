"""`wavefront_sdk.auth.csp.authorize_response`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wf_instrument.backends.wavefront.csp import renewal_margin_s

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AuthorizeResponse"]


class AuthorizeResponse:
    """What the token service answered. Its `repr` shows no token.

    Attributes:
        access_token: The token; None before an answer.
        expires_in: Seconds that it lives.
    """

    def __init__(self) -> None:
        self.access_token: str | None = None
        self.expires_in: float = 0

    def __repr__(self) -> str:
        return f"AuthorizeResponse(expires_in={self.expires_in!r})"

    def set_auth_response(self, response: Mapping[str, object]) -> None:
        """Keep the fields of an answer, of which it may have more."""
        token, lifetime_s = response.get("access_token"), response.get("expires_in")
        self.access_token = token if isinstance(token, str) else None
        self.expires_in = lifetime_s if isinstance(lifetime_s, (int, float)) else 0

    def get_time_offset(self, expires_in: float | None = None) -> float:
        """Return how many seconds before its end a token is renewed; of this answer when None."""
        return renewal_margin_s(self.expires_in if expires_in is None else expires_in)
