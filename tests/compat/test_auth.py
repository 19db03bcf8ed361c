"""The Wavefront SDK's classes for tokens of VMware Cloud Services, on ours."""

from __future__ import annotations

import base64
import json
from dataclasses import FrozenInstanceError
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from loopback import Answer, LoopbackReceiver
from wf_instrument.compat.wavefront_sdk.auth import (
    AuthorizeResponse,
    CSPAccessTokenService,
    CSPAPIToken,
    CSPClientCredentials,
    TokenServiceProvider,
)
from wf_instrument.compat.wavefront_sdk.auth.csp import csp_token_service, token_service_factory
from wf_instrument.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "s3cret"


@pytest.fixture
def console() -> Iterator[LoopbackReceiver]:
    numbers = count(1)

    def answer(_: object) -> Answer:
        fields = {"access_token": f"token-{next(numbers)}", "expires_in": 1800}
        return Answer(body=json.dumps(fields).encode())

    with LoopbackReceiver(answer) as made:
        yield made


def test_constants_are_those_of_the_service() -> None:
    assert csp_token_service.CSP_API_TOKEN_SERVICE_TYPE == "API_TOKEN"
    assert csp_token_service.CSP_OAUTH_TOKEN_SERVICE_TYPE == "OAUTH"
    assert csp_token_service.CSP_REQUEST_TIMEOUT_SEC == 30
    assert token_service_factory.DEFAULT_CSP_BASE_URL == "https://console.cloud.vmware.com"


def test_requests_tell_url_form_and_headers_and_hide_their_secret() -> None:
    token = CSPAPIToken("https://csp.example/", SECRET)
    path = token_service_factory.CSP_API_TOKEN_AUTH_PATH
    assert token.get_server_url() == f"https://csp.example{path}"
    assert token.get_data() == {"api_token": SECRET}
    app = CSPClientCredentials("https://csp.example", "app", SECRET, "org")
    path = token_service_factory.CSP_CLIENT_CREDENTIALS_AUTH_PATH
    assert app.get_server_url() == f"https://csp.example{path}"
    assert app.get_data() == {"grant_type": "client_credentials", "orgId": "org"}
    encoded = base64.b64encode(f"app:{SECRET}".encode()).decode()
    assert app.encode_csp_credentials() == encoded
    assert app.get_headers()["Authorization"] == f"Basic {encoded}"
    assert SECRET not in f"{token!r} {app!r}"
    with pytest.raises(FrozenInstanceError):
        token.base_url = "elsewhere"  # type: ignore[misc]  # what must fail


@pytest.mark.parametrize(
    ("kind", "config", "form"),
    [
        ("API_TOKEN", {"api_token": SECRET}, {"api_token": [SECRET]}),
        (
            "OAUTH",
            {"client_id": "app", "client_secret": SECRET},
            {"grant_type": ["client_credentials"]},
        ),
    ],
)
def test_a_service_gives_a_token_until_a_new_one_is_wanted(
    console: LoopbackReceiver, kind: str, config: dict[str, str], form: dict[str, list[str]]
) -> None:
    service = TokenServiceProvider().get(kind, base_url=console.url, **config)
    assert isinstance(service, CSPAccessTokenService)
    assert service.get_type() == kind
    assert [service.get_token(), service.get_token()] == ["token-1", "token-1"]
    assert service.get_csp_access_token() == "token-2"
    assert parse_qs(console.received[0].body) == form


def test_what_a_provider_lacks_is_told() -> None:
    with pytest.raises(ConfigError, match="api_token"):
        TokenServiceProvider().get("API_TOKEN")
    with pytest.raises(ConfigError, match="API_TOKEN, OAUTH"):
        TokenServiceProvider().get("KERBEROS")


@pytest.mark.parametrize(("lifetime", "offset"), [(599, 30), (600, 180), (1800, 180)])
def test_a_response_knows_when_its_token_is_renewed(lifetime: int, offset: int) -> None:
    response = AuthorizeResponse()
    response.set_auth_response({"access_token": SECRET, "expires_in": lifetime, "scope": "x"})
    assert response.access_token == SECRET
    assert response.get_time_offset() == response.get_time_offset(lifetime) == offset
    assert SECRET not in repr(response)
