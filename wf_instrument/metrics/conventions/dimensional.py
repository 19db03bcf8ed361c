"""The dimensional convention: short names, everything else as attributes.

Each backend turns the attributes into tags or dimensions of its own, and adds what only it has.

Source:
    OpenTelemetry semantic conventions, "HTTP metrics", for the names of metrics and attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.snapshot import RequestKey

__all__ = ["REQUEST_FIGURES", "identity_attributes", "request_attributes"]

#: Figures of a request's row to metrics; times in seconds, sizes in bytes.
REQUEST_FIGURES: Final = {
    "latency": "http.server.request.duration",
    "ttfb": "http.server.response.ttfb",
    "cpu": "http.server.request.cpu_time",
    "queued": "http.server.request.queued_time",
    "request_bytes": "http.server.request.body.size",
    "response_bytes": "http.server.response.body.size",
    "background": "http.server.response.background_time",
}


def identity_attributes(identity: Identity) -> dict[str, str]:
    """Return what tells this process from others on its host; what is unset is left out."""
    tags = identity.tags
    attributes = {
        "service.namespace": tags.application,
        "service.name": tags.service,
        "wf.cluster": tags.cluster,
        "wf.shard": tags.shard,
        # Several workers of a host would overwrite each other's series.
        "worker": str(identity.worker_slot) if identity.worker_slot else None,
    }
    return {name: value for name, value in attributes.items() if value and value.strip()}


def request_attributes(key: RequestKey) -> dict[str, str | None]:
    """Return the attributes of a request, None for those it lacks."""
    return {
        "http.request.method": key.method,
        "http.route": key.route,
        "http.response.status_code": str(key.status),
        "url.scheme": key.scheme,
        "network.protocol.version": key.protocol,
        "error.type": key.error_type,
    }
