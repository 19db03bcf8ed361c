"""The dimensional convention as SignalFx takes it: metric names, and dimensions without dots.

Source:
    OpenTelemetry semantic conventions, "HTTP metrics", for the names of metrics and attributes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.signalfx.field_rules import (
    MAX_DIMENSION_NAME,
    MAX_DIMENSION_VALUE,
    RESERVED_PREFIXES,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wf_instrument.identity import Identity
    from wf_instrument.reporting.snapshot import RequestKey, WebSocketKey

__all__ = [
    "PERCENTILES",
    "REQUEST_FIGURES",
    "Dimensions",
    "dimensions_of",
    "identity_dimensions",
    "request_dimensions",
    "websocket_dimensions",
]

Dimensions = tuple[tuple[str, str], ...]

#: Figures of a request's row to metrics; times in seconds, sizes in bytes.
REQUEST_FIGURES: Final = {
    "latency": "http.server.request.duration",
    "cpu": "http.server.request.cpu_time",
    "ttfb": "http.server.response.ttfb",
    "queued": "http.server.request.queued_time",
    "background": "http.server.response.background_time",
    "request_bytes": "http.server.request.body.size",
    "response_bytes": "http.server.response.body.size",
}
PERCENTILES: Final = (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99))
_STRANGE: Final = re.compile(r"[^A-Za-z0-9_-]")


def dimensions_of(pairs: Iterable[tuple[str, object]]) -> Dimensions:
    """Return pairs as dimensions that the service takes; those without a value are left out."""
    found: dict[str, str] = {}
    for name, value in pairs:
        text = "" if value is None else str(value).strip()
        if name.strip() and text:
            found[_dimension_name(name)] = text[:MAX_DIMENSION_VALUE]
    return tuple(sorted(found.items()))


def identity_dimensions(identity: Identity) -> Dimensions:
    """Return what tells this process from others."""
    tags = identity.tags
    return dimensions_of(
        [
            *tags.custom_tags,
            ("service.name", tags.service),
            ("service.namespace", tags.application),
            ("wf.cluster", tags.cluster),
            ("wf.shard", tags.shard),
            ("host.name", identity.source),
            # Two processes of a host would overwrite each other's series.
            ("worker", identity.worker_slot or None),
        ]
    )


def request_dimensions(key: RequestKey) -> Dimensions:
    """Return the dimensions of a request; those the application added do not replace them."""
    error = key.error_type or (str(key.status) if key.is_error else None)
    return dimensions_of(
        [
            *key.dimensions,
            ("http.request.method", key.method),
            ("http.route", key.route),
            ("http.response.status_code", key.status),
            ("url.scheme", key.scheme),
            ("network.protocol.version", key.protocol),
            ("error.type", error),
        ]
    )


def websocket_dimensions(key: WebSocketKey) -> Dimensions:
    """Return the dimensions of connections."""
    return dimensions_of([("http.route", key.route), ("url.scheme", key.scheme)])


def _dimension_name(name: str) -> str:
    text = _STRANGE.sub("_", name.strip())
    if not text[0].isalpha() or text.startswith(RESERVED_PREFIXES):
        text = f"tag_{text}"
    return text[:MAX_DIMENSION_NAME]
