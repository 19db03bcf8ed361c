"""`wavefront_sdk.auth.csp.token_service`."""

from __future__ import annotations

from abc import ABC, abstractmethod

__all__ = ["TokenService"]


class TokenService(ABC):
    """Gives access tokens."""

    @abstractmethod
    def get_type(self) -> str:
        """Return the kind of credentials."""

    @abstractmethod
    def get_token(self) -> str:
        """Return a token that is valid."""
