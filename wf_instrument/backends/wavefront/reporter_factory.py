"""Reporter URLs of Wavefront: a proxy, or a cluster directly."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.wavefront.client import WavefrontClient
from wf_instrument.backends.wavefront.request_reporter import WavefrontPipelineReporter
from wf_instrument.errors import ConfigError

if TYPE_CHECKING:
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.reporter_url import ReporterUrl
    from wf_instrument.settings import Settings

__all__ = ["from_url"]

#: Source: Wavefront proxy, default port of metrics, histograms and spans over HTTP.
DEFAULT_PROXY_PORT: Final = 2878
_PARAMETERS: Final = ("token_file", "max_queue_size", "batch_size", "flush_interval")


def from_url(url: ReporterUrl, identity: Identity, settings: Settings) -> WavefrontPipelineReporter:
    """Make the reporter of `wavefront://host:2878` (or `proxy://`), or `wavefront+https://TOKEN@host`.

    Parameters: `max_queue_size`, `batch_size`, `flush_interval` in seconds; for direct ingestion
    `token_file`. The variable `WF_TOKEN` gives the token too.
    """
    url.check_query(*_PARAMETERS)
    if not url.host:
        raise ConfigError(f"reporter URL {url} names no host; write {url.scheme}://HOST:PORT")
    host = f"[{url.host}]" if ":" in url.host else url.host
    token = None
    if url.scheme.endswith("+https"):
        token = _token(url)
        server = f"https://{host}" + ("" if url.port is None else f":{url.port}")
    else:
        if url.user:
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
    )
    return WavefrontPipelineReporter(client, identity)


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
