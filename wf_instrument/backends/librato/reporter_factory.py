"""Reporter URLs of Librato."""

from __future__ import annotations

import os
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
    from wf_instrument.settings import Settings

__all__ = ["from_url"]

_PARAMETERS: Final = (
    *QUEUE_PARAMETERS, *SPOOL_PARAMETERS, "endpoint", "allow_insecure", "token_file",
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
    token = token_in_file(url)
    if token is None:
        token = url.password or os.environ.get("LIBRATO_TOKEN") or os.environ.get("WF_TOKEN", "")
    if not user or not token:
        raise ConfigError(
            f"reporter URL {url} lacks user or token; write librato://USER:TOKEN@ (an '@' in the "
            "user as %40), or set LIBRATO_USER and LIBRATO_TOKEN"
        )
    sender = MeasurementSender(
        user,
        token,
        _endpoint(url),
        **queue_options(url, batch_size=500, most=MOST_PER_POST, flush_interval_s=5),
        allow_insecure=url.flag("allow_insecure"),
        **spool_options(url, settings),
    )
    period_s = max(1, round(url.number("interval", DEFAULT_PERIOD_S, minimum=0.1)))
    return LibratoPipelineReporter(sender, identity, period_s)


def _endpoint(url: ReporterUrl) -> str:
    endpoint = url.query.get("endpoint")
    if endpoint:
        return endpoint
    if not url.host:
        return DEFAULT_ENDPOINT
    return f"{server_of(url, 'https')}{url.path.rstrip('/') or '/v1'}/"
