"""Reporter URLs of Wavefront: a proxy, or a cluster directly."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.wavefront.client import ClientOptions, WavefrontClient
from wf_instrument.backends.wavefront.csp import CspTokenSource, csp_credentials
from wf_instrument.backends.wavefront.limits import validation_mode
from wf_instrument.backends.wavefront.request_reporter import WavefrontPipelineReporter
from wf_instrument.errors import ConfigError
from wf_instrument.reporting.sending_options import (
    QUEUE_PARAMETERS,
    SPOOL_PARAMETERS,
    queue_options,
    server_of,
    spool_options,
    token_in_file,
)

if TYPE_CHECKING:
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.reporter_url import ReporterUrl
    from wf_instrument.sender.transport import TokenSource
    from wf_instrument.settings import Settings

__all__ = ["from_url"]

#: Source: Wavefront proxy, default port of metrics, histograms and spans over HTTP.
DEFAULT_PROXY_PORT: Final = 2878
_CSP: Final = ("csp_base_url", "csp_api_token", "csp_app_id", "csp_app_secret", "csp_org_id")
_PARAMETERS: Final = (
    *QUEUE_PARAMETERS, *SPOOL_PARAMETERS, *_CSP, "validation", "internal_metrics",
    "allow_insecure", "token_file",
)  # fmt: skip


def from_url(url: ReporterUrl, identity: Identity, settings: Settings) -> WavefrontPipelineReporter:
    """Make the reporter of `wavefront://host:2878` (or `proxy://`), or `wavefront+https://TOKEN@host`.

    Parameters: `max_queue_size`, `batch_size`, `flush_interval` in seconds, `validation`,
    `internal_metrics`, `spool_dir`, `spool_bytes`, `ca_file`; for direct ingestion `token_file`,
    `allow_insecure`, and `csp_base_url`, `csp_api_token`, `csp_app_id`, `csp_app_secret`,
    `csp_org_id`. The variables `WF_TOKEN` and `WF_CSP_...` give tokens too.
    """
    url.check_query(*_PARAMETERS)
    if not url.host:
        raise ConfigError(f"reporter URL {url} names no host; write {url.scheme}://HOST:PORT")
    options = _options(url, settings)
    token: str | TokenSource | None = None
    if url.scheme.endswith("+https"):
        token = _csp(url, options) or _token(url)
        server = server_of(url, "https")
    else:
        if url.user or any(name in url.query for name in ("token_file", *_CSP)):
            raise ConfigError(
                f"reporter URL {url} gives a token to a proxy, which takes none; "
                "write wavefront+https:// for direct ingestion"
            )
        server = server_of(url, "http", DEFAULT_PROXY_PORT)
    queue = queue_options(url, batch_size=10_000, most=1_000_000, flush_interval_s=5)
    client = WavefrontClient(
        server,
        token,
        max_queue_size=queue["queue_size"],
        batch_size=queue["batch_size"],
        flush_interval_seconds=queue["flush_interval_s"],
        enable_internal_metrics=url.flag("internal_metrics"),
        **options,
    )
    return WavefrontPipelineReporter(client, identity)


def _options(url: ReporterUrl, settings: Settings) -> ClientOptions:
    spool = spool_options(url, settings)
    return ClientOptions(
        validation=validation_mode(url.query.get("validation", "truncate")),
        spool_dir=spool["spool_dir"],
        spool_bytes=spool["spool_bytes"],
        ca_file=spool["ca_file"],
        allow_insecure=url.flag("allow_insecure"),
    )


def _csp(url: ReporterUrl, options: ClientOptions) -> CspTokenSource | None:
    given = {name: url.query.get(name) or os.environ.get(f"WF_{name.upper()}") for name in _CSP}
    credentials = csp_credentials(
        given["csp_api_token"],
        given["csp_app_id"],
        given["csp_app_secret"],
        given["csp_org_id"],
    )
    if credentials is None:
        return None
    return CspTokenSource(
        credentials,
        given["csp_base_url"],
        ca_file=options["ca_file"],
        allow_insecure=options["allow_insecure"],
    )


def _token(url: ReporterUrl) -> str:
    token = token_in_file(url)
    if token is None:
        token = url.user or os.environ.get("WF_TOKEN", "")
    if not token:
        raise ConfigError(
            f"reporter URL {url} has no token; write {url.scheme}://TOKEN@{url.host}, "
            "or give ?token_file=, or set WF_TOKEN"
        )
    return token
