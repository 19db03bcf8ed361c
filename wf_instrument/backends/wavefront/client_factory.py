"""Makes Wavefront clients from URLs, several of them as one."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, unquote, urlsplit

from wf_instrument.backends.wavefront.client import WavefrontClient
from wf_instrument.backends.wavefront.csp import CspTokenSource, csp_credentials
from wf_instrument.backends.wavefront.multi_client import WavefrontMultiClient
from wf_instrument.errors import ConfigError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from wf_instrument.backends.wavefront.client import ClientOptions
    from wf_instrument.sender.transport import TokenSource

__all__ = ["WavefrontClientFactory"]

#: Source: Wavefront proxy, default port of metrics, histograms and spans over HTTP.
DEFAULT_PROXY_PORT: Final = 2878


class WavefrontClientFactory:
    """Makes a client a URL, and gives one that sends to all of them.

    Attributes:
        clients: The clients made so far.
    """

    PROXY_SCHEME: Final = "proxy"
    HTTP_PROXY_SCHEME: Final = "http"
    DIRECT_DATA_INGESTION_SCHEME: Final = "https"

    def __init__(self) -> None:
        self.clients: list[WavefrontClient] = []

    def add_client(
        self,
        url: str,
        max_queue_size: int = 50_000,
        batch_size: int = 10_000,
        flush_interval_seconds: float = 5,
        enable_internal_metrics: bool = True,
        queue_impl: type = queue.Queue,
        csp_base_url: str | None = None,
        csp_api_token: str | None = None,
        csp_app_id: str | None = None,
        csp_app_secret: str | None = None,
        csp_org_id: str | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        """Make one more client.

        Args:
            url: `proxy://HOST:PORT` or `http://HOST:PORT` for a proxy (port 2878 when absent),
                `https://TOKEN@HOST` for direct ingestion, `https://HOST` with one of the CSP
                credentials below.
            max_queue_size: As for `WavefrontClient`, like all that follow.
            batch_size: See there.
            flush_interval_seconds: See there.
            enable_internal_metrics: See there.
            queue_impl: See there.
            csp_base_url: URL of the CSP console; `https://console.cloud.vmware.com` when missing.
            csp_api_token: API token of a CSP user.
            csp_app_id: Id of a CSP server-to-server OAuth app, together with its secret.
            csp_app_secret: Its secret.
            csp_org_id: The organization, if the app needs one.
            options: As for `WavefrontClient`, by name.

        Raises:
            ConfigError: The URL is none of these, or of a server that has a client already; the
                CSP credentials are incomplete, or given for a proxy.
        """
        credentials = csp_credentials(csp_api_token, csp_app_id, csp_app_secret, csp_org_id)
        token: str | TokenSource | None
        server, token = self._server_and_token(url, has_credentials=credentials is not None)
        if self.existing_client(server):
            raise ConfigError(f"server {server!r} has a client already; add each server once")
        if credentials is not None:
            token = CspTokenSource(
                credentials,
                csp_base_url,
                ca_file=options.get("ca_file"),
                allow_insecure=options.get("allow_insecure", False),
            )
        self.clients.append(
            WavefrontClient(
                server,
                token,
                max_queue_size,
                batch_size,
                flush_interval_seconds,
                enable_internal_metrics,
                queue_impl,
                **options,
            )
        )

    def get_client(self) -> WavefrontClient | WavefrontMultiClient | None:
        """Return the one client, one that sends to all, or None before any was added."""
        if len(self.clients) < 2:
            return self.clients[0] if self.clients else None
        multi = WavefrontMultiClient()
        for client in self.clients:
            multi.with_wavefront_sender(client)
        return multi

    def existing_client(self, server: str) -> bool:
        """Return whether a server, as `http(s)://HOST:PORT`, has a client."""
        return any(client.server == server for client in self.clients)

    @classmethod
    def get_server_info_from_endpoint(cls, url: str) -> tuple[str, str | None]:
        """Return server and token of a URL; the token is None for a proxy.

        Raises:
            ConfigError: See `add_client`.
        """
        return cls._server_and_token(url, has_credentials=False)

    @classmethod
    def _server_and_token(cls, url: str, *, has_credentials: bool) -> tuple[str, str | None]:
        shown = url.rpartition("@")[2]  # what stands before may be a token
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:  # not `from` it, which may show all of the URL
            message = f"client URL {shown!r} is no URL; give SCHEME://HOST:PORT"
            raise ConfigError(message) from None
        schemes = (cls.PROXY_SCHEME, cls.HTTP_PROXY_SCHEME, cls.DIRECT_DATA_INGESTION_SCHEME)
        if parts.scheme not in schemes:
            raise ConfigError(
                f"client URL {shown!r} has the scheme {parts.scheme!r}; "
                f"accepted: {', '.join(schemes)}"
            )
        if not parts.hostname:
            raise ConfigError(f"client URL {shown!r} names no host; give SCHEME://HOST:PORT")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        if parts.scheme != cls.DIRECT_DATA_INGESTION_SCHEME:
            if parts.username is not None:
                raise ConfigError(
                    f"client URL {shown!r} gives a token to a proxy, which takes none; "
                    "write https://TOKEN@HOST for direct ingestion"
                )
            if has_credentials:
                raise ConfigError(
                    f"client URL {shown!r} is a proxy's, which takes no CSP credentials; "
                    "write https://HOST for direct ingestion"
                )
            return f"http://{host}:{DEFAULT_PROXY_PORT if port is None else port}", None
        server = f"https://{host}" + ("" if port is None else f":{port}")
        return server, None if has_credentials else _token(parts, shown)


def _token(parts: SplitResult, shown: str) -> str:
    token = unquote(parts.username or "")
    if not token:
        raise ConfigError(f"client URL {shown!r} has no token; write https://TOKEN@HOST")
    return token
