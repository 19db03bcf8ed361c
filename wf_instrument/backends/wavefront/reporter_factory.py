"""Reporter URLs of Wavefront: a proxy, or a cluster directly."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.wavefront.client import ClientOptions, WavefrontClient
from wf_instrument.backends.wavefront.csp import CspTokenSource, csp_credentials
from wf_instrument.backends.wavefront.limits import validation_mode
from wf_instrument.backends.wavefront.request_reporter import WavefrontPipelineReporter
from wf_instrument.errors import ConfigError
from wf_instrument.sender.spool import DEFAULT_MAX_BYTES

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
    "max_queue_size", "batch_size", "flush_interval", "validation", "internal_metrics",
    "spool_dir", "spool_bytes", "ca_file", "allow_insecure", "token_file", *_CSP,
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
    host = f"[{url.host}]" if ":" in url.host else url.host
    options = _options(url, settings)
    token: str | TokenSource | None = None
    if url.scheme.endswith("+https"):
        token = _csp(url, options) or _token(url)
        server = f"https://{host}" + ("" if url.port is None else f":{url.port}")
    else:
        if url.user or any(name in url.query for name in ("token_file", *_CSP)):
            raise ConfigError(
                f"reporter URL {url} gives a token to a proxy, which takes none; "
                "write wavefront+https:// for direct ingestion"
            )
        server = f"http://{host}:{url.port or DEFAULT_PROXY_PORT}"
    client = WavefrontClient(
        server,
        token,
        max_queue_size=int(url.number("max_queue_size", 50_000, minimum=1, maximum=10_000_000)),
        batch_size=int(url.number("batch_size", 10_000, minimum=1, maximum=1_000_000)),
        flush_interval_seconds=url.number("flush_interval", 5, minimum=0.05, maximum=3600),
        enable_internal_metrics=url.flag("internal_metrics"),
        **options,
    )
    return WavefrontPipelineReporter(client, identity)


def _options(url: ReporterUrl, settings: Settings) -> ClientOptions:
    return ClientOptions(
        validation=validation_mode(url.query.get("validation", "truncate")),
        spool_dir=url.query.get("spool_dir") or settings.spool_dir or None,
        spool_bytes=int(
            url.number("spool_bytes", DEFAULT_MAX_BYTES, minimum=1_000_000, maximum=1 << 50)
        ),
        ca_file=url.query.get("ca_file") or settings.ca_file or None,
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
    file = url.query.get("token_file")
    if file:
        try:
            token = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"reporter URL {url}: token_file {file!r} cannot be read") from exc
    else:
        token = url.user or os.environ.get("WF_TOKEN", "")
    if not token:
        raise ConfigError(
            f"reporter URL {url} has no token; write {url.scheme}://TOKEN@{url.host}, "
            "or give ?token_file=, or set WF_TOKEN"
        )
    return token
