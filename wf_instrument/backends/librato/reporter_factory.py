"""Reporter URLs of Librato."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.librato.measurement_sender import (
    DEFAULT_ENDPOINT,
    MOST_PER_POST,
    MeasurementSender,
)
from wf_instrument.backends.librato.pipeline_reporter import (
    DEFAULT_PERIOD_S,
    LibratoPipelineReporter,
)
from wf_instrument.errors import ConfigError
from wf_instrument.sender.spool import DEFAULT_MAX_BYTES

if TYPE_CHECKING:
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.reporter_url import ReporterUrl
    from wf_instrument.settings import Settings

__all__ = ["from_url"]

_PARAMETERS: Final = (
    "endpoint", "batch_size", "max_queue_size", "flush_interval", "allow_insecure", "ca_file",
    "token_file", "spool_dir", "spool_bytes",
)  # fmt: skip


def from_url(url: ReporterUrl, identity: Identity, settings: Settings) -> LibratoPipelineReporter:
    """Make the reporter of `librato://user:token@`, the user's `@` written as `%40`.

    A host after the `@` takes the place of the service's. Parameters: `endpoint` (a URL up to the
    version), `batch_size`, `max_queue_size`, `flush_interval` in seconds, `allow_insecure`,
    `ca_file`, `token_file`, `spool_dir`, `spool_bytes`. `LIBRATO_USER`, `LIBRATO_TOKEN` and
    `WF_TOKEN` of the environment give what the URL does not.
    """
    url.check_query(*_PARAMETERS)
    user = url.user or os.environ.get("LIBRATO_USER", "")
    token = _token(url)
    if not user or not token:
        raise ConfigError(
            f"reporter URL {url} lacks user or token; write librato://USER:TOKEN@ (an '@' in the "
            "user as %40), or set LIBRATO_USER and LIBRATO_TOKEN"
        )
    sender = MeasurementSender(
        user,
        token,
        _endpoint(url),
        batch_size=int(url.number("batch_size", 500, minimum=1, maximum=MOST_PER_POST)),
        queue_size=int(url.number("max_queue_size", 50_000, minimum=1, maximum=10_000_000)),
        flush_interval_s=url.number("flush_interval", 5, minimum=0.05, maximum=3600),
        allow_insecure=url.flag("allow_insecure"),
        ca_file=url.query.get("ca_file") or settings.ca_file or None,
        spool_dir=url.query.get("spool_dir") or settings.spool_dir or None,
        spool_bytes=int(
            url.number("spool_bytes", DEFAULT_MAX_BYTES, minimum=1_000_000, maximum=1 << 50)
        ),
    )
    period_s = max(1, round(url.number("interval", DEFAULT_PERIOD_S, minimum=0.1)))
    return LibratoPipelineReporter(sender, identity, period_s)


def _endpoint(url: ReporterUrl) -> str:
    endpoint = url.query.get("endpoint")
    if endpoint:
        return endpoint
    if not url.host:
        return DEFAULT_ENDPOINT
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = "" if url.port is None else f":{url.port}"
    return f"https://{host}{port}{url.path.rstrip('/') or '/v1'}/"


def _token(url: ReporterUrl) -> str:
    file = url.query.get("token_file")
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"reporter URL {url}: token_file {file!r} cannot be read") from exc
    return url.password or os.environ.get("LIBRATO_TOKEN") or os.environ.get("WF_TOKEN", "")
