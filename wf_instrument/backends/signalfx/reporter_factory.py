"""Reporter URLs of SignalFx."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.signalfx.cloud_ids import add_cloud_dimensions
from wf_instrument.backends.signalfx.constants import DEFAULT_BATCH_SIZE, realm_endpoint
from wf_instrument.backends.signalfx.ingest_client import ProtoBufSignalFxIngestClient
from wf_instrument.backends.signalfx.request_reporter import SignalFxPipelineReporter
from wf_instrument.errors import ConfigError
from wf_instrument.reporting.sending_options import (
    QUEUE_PARAMETERS,
    SPOOL_PARAMETERS,
    queue_options,
    spool_options,
    token_in_file,
)
from wf_instrument.sender.transport import HttpTransport, is_loopback

if TYPE_CHECKING:
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.reporter_url import ReporterUrl
    from wf_instrument.settings import Settings

__all__ = ["from_url"]

_PARAMETERS: Final = (
    *QUEUE_PARAMETERS, *SPOOL_PARAMETERS, "endpoint", "token_file", "allow_insecure", "cloud",
)  # fmt: skip


def from_url(url: ReporterUrl, identity: Identity, settings: Settings) -> SignalFxPipelineReporter:
    """Make the reporter of `signalfx://TOKEN@REALM`, REALM being `us0`, `eu0`, ...

    Parameters: `endpoint`, the URL of a gateway in place of the realm's; `token_file`;
    `max_queue_size`, `batch_size`, `flush_interval` in seconds, `spool_dir`, `spool_bytes`,
    `ca_file`, `allow_insecure`; `cloud` adds the id of the machine or task in AWS, GCP or Azure.
    The variable `WF_TOKEN` gives the token too.
    """
    url.check_query(*_PARAMETERS)
    queue = queue_options(url, batch_size=DEFAULT_BATCH_SIZE, most=100_000, flush_interval_s=1)
    client = ProtoBufSignalFxIngestClient(
        _token(url),
        _endpoint(url),
        batch_size=queue["batch_size"],
        max_queue_size=queue["queue_size"],
        flush_interval_s=queue["flush_interval_s"],
        **spool_options(url, settings),
    )
    if url.flag("cloud"):
        add_cloud_dimensions(client)
    return SignalFxPipelineReporter(client, identity)


def _endpoint(url: ReporterUrl) -> str:
    endpoint = url.query.get("endpoint")
    if not endpoint:
        if not url.host or url.port is not None:
            raise ConfigError(f"reporter URL {url} names no realm; write signalfx://TOKEN@us0")
        return realm_endpoint("ingest", url.host)
    transport = HttpTransport(endpoint)  # checks it
    is_safe = transport.is_encrypted or is_loopback(transport.host)
    if not is_safe and not url.flag("allow_insecure"):
        raise ConfigError(
            f"reporter URL {url}: the token would travel over plain http to {transport.host!r}; "
            "give an https endpoint, or allow_insecure if the way there is safe"
        )
    return endpoint


def _token(url: ReporterUrl) -> str:
    token = token_in_file(url)
    if token is None:
        token = url.user or os.environ.get("WF_TOKEN", "")
    if not token:
        raise ConfigError(
            f"reporter URL {url} has no token; write signalfx://TOKEN@{url.host or 'us0'}, "
            "or give ?token_file=, or set WF_TOKEN"
        )
    return token
