"""`wavefront_sdk.auth.csp.csp_request`: where tokens are asked for, and with what."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from wf_instrument.backends.wavefront.csp import API_TOKEN_PATH, OAUTH_PATH

__all__ = ["AuthServerURL", "CSPAPIToken", "CSPClientCredentials"]

_FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class AuthServerURL:
    """The URL of a token service.

    Attributes:
        base_url: URL of the console; one slash at its end is tolerated.
        auth_path: Path of the service.
    """

    base_url: str
    auth_path: str

    def get_server_url(self) -> str:
        """Return both, joined."""
        return self.base_url.removesuffix("/") + self.auth_path


@dataclass(frozen=True)
class CSPAPIToken:
    """A user's API token, to be exchanged at `base_url`."""

    base_url: str
    api_token: str = field(repr=False)

    def get_server_url(self) -> str:
        """Return where it is exchanged."""
        return AuthServerURL(self.base_url, API_TOKEN_PATH).get_server_url()

    def get_data(self) -> dict[str, str]:
        """Return the fields of the form."""
        return {"api_token": self.api_token}

    def get_headers(self) -> dict[str, str]:
        """Return the headers of the request."""
        return dict(_FORM_HEADERS)


@dataclass(frozen=True)
class CSPClientCredentials:
    """A server-to-server OAuth app's id and secret, to be exchanged at `base_url`."""

    base_url: str
    client_id: str
    client_secret: str = field(repr=False)
    org_id: str | None = None

    def get_server_url(self) -> str:
        """Return where they are exchanged."""
        return AuthServerURL(self.base_url, OAUTH_PATH).get_server_url()

    def get_data(self) -> dict[str, str]:
        """Return the fields of the form."""
        form = {"grant_type": "client_credentials"}
        return {**form, "orgId": self.org_id} if self.org_id else form

    def get_headers(self) -> dict[str, str]:
        """Return the headers of the request."""
        return {**_FORM_HEADERS, "Authorization": f"Basic {self.encode_csp_credentials()}"}

    def encode_csp_credentials(self) -> str:
        """Return id and secret as basic authentication has them."""
        return base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
