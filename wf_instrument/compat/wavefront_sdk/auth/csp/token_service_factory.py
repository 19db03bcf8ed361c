"""`wavefront_sdk.auth.csp.token_service_factory`: token services by the kind of credentials."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from wf_instrument.backends.wavefront.csp import (
    API_TOKEN_PATH as CSP_API_TOKEN_AUTH_PATH,
)
from wf_instrument.backends.wavefront.csp import (
    DEFAULT_BASE_URL as DEFAULT_CSP_BASE_URL,
)
from wf_instrument.backends.wavefront.csp import (
    OAUTH_PATH as CSP_CLIENT_CREDENTIALS_AUTH_PATH,
)
from wf_instrument.compat.wavefront_sdk.auth.csp.csp_request import (
    CSPAPIToken,
    CSPClientCredentials,
)
from wf_instrument.compat.wavefront_sdk.auth.csp.csp_token_service import (
    CSP_API_TOKEN_SERVICE_TYPE,
    CSP_OAUTH_TOKEN_SERVICE_TYPE,
    CSPAccessTokenService,
)
from wf_instrument.errors import ConfigError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "CSP_API_TOKEN_AUTH_PATH",
    "CSP_CLIENT_CREDENTIALS_AUTH_PATH",
    "DEFAULT_CSP_BASE_URL",
    "CSPServerToServerTokenServiceBuilder",
    "CSPUserTokenServiceBuilder",
    "TokenServiceFactory",
    "TokenServiceProvider",
]


class TokenServiceBuilder(ABC):
    """Makes a token service from properties, given one by one or all at once."""

    def __init__(self, **properties: str | None) -> None:
        self._properties = dict(properties)

    @classmethod
    def create_builder(cls, **properties: str | None) -> Self:
        """Return a builder with these properties."""
        return cls(**properties)

    def add_property(self, name: str, value: str | None) -> Self:
        """Set a property; returns the builder."""
        self._properties[name] = value
        return self

    @abstractmethod
    def build(self) -> CSPAccessTokenService:
        """Return the service. Raises ConfigError when a property lacks."""

    def _get(self, name: str) -> str:
        value = self._properties.get(name)
        if not value:
            raise ConfigError(f"CSP credentials lack {name}; give it to the builder")
        return value

    @property
    def _base_url(self) -> str:
        return self._properties.get("base_url") or DEFAULT_CSP_BASE_URL


class CSPUserTokenServiceBuilder(TokenServiceBuilder):
    """Makes a service of an API token; properties `base_url` and `api_token`."""

    def build(self) -> CSPAccessTokenService:
        """Return the service. Raises ConfigError when a property lacks."""
        credentials = CSPAPIToken(self._base_url, self._get("api_token"))
        return CSPAccessTokenService(CSP_API_TOKEN_SERVICE_TYPE, credentials)


class CSPServerToServerTokenServiceBuilder(TokenServiceBuilder):
    """Makes a service of an app; properties `base_url client_id client_secret org_id`."""

    def build(self) -> CSPAccessTokenService:
        """Return the service. Raises ConfigError when a property lacks."""
        credentials = CSPClientCredentials(
            self._base_url,
            self._get("client_id"),
            self._get("client_secret"),
            self._properties.get("org_id"),
        )
        return CSPAccessTokenService(CSP_OAUTH_TOKEN_SERVICE_TYPE, credentials)


class TokenServiceFactory:
    """Knows a builder for each kind of credentials."""

    def __init__(self) -> None:
        self._builders: dict[str, type[TokenServiceBuilder]] = {}

    def add_builder(self, key: str, builder: type[TokenServiceBuilder]) -> None:
        """Add the builder of a kind, or replace it."""
        self._builders[key] = builder

    def get_builder(self, key: str) -> type[TokenServiceBuilder]:
        """Return the builder of a kind.

        Raises:
            ConfigError: There is none.
        """
        if key not in self._builders:
            raise ConfigError(
                f"there is no token service of type {key!r}; "
                f"known: {', '.join(sorted(self._builders)) or 'none'}"
            )
        return self._builders[key]

    def create(self, key: str, **config: str | None) -> CSPAccessTokenService:
        """Make a service of a kind from its properties. Raises ConfigError as `get_builder`."""
        return self.get_builder(key).create_builder(**config).build()


class TokenServiceProvider(TokenServiceFactory):
    """A factory that knows both kinds of CSP credentials."""

    def __init__(self) -> None:
        super().__init__()
        self.add_builder(CSP_API_TOKEN_SERVICE_TYPE, CSPUserTokenServiceBuilder)
        self.add_builder(CSP_OAUTH_TOKEN_SERVICE_TYPE, CSPServerToServerTokenServiceBuilder)

    def get(self, service_type: str, **config: str | None) -> CSPAccessTokenService:
        """Make a service of a kind from its properties; see `create`."""
        return self.create(service_type, **config)
