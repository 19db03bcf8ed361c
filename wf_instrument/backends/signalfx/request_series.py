"""The dimensional convention as SignalFx takes it: dimensions without dots."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.signalfx.field_rules import (
    MAX_DIMENSION_NAME,
    MAX_DIMENSION_VALUE,
    RESERVED_PREFIXES,
)
from wf_instrument.metrics.conventions.dimensional import identity_attributes, request_attributes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wf_instrument.identity import Identity
    from wf_instrument.reporting.snapshot import RequestKey, WebSocketKey

__all__ = [
    "PERCENTILES",
    "Dimensions",
    "dimensions_of",
    "identity_dimensions",
    "request_dimensions",
    "websocket_dimensions",
]

Dimensions = tuple[tuple[str, str], ...]

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
    return dimensions_of(
        [
            *identity.tags.custom_tags,
            *identity_attributes(identity).items(),
            ("host.name", identity.source),
        ]
    )


def request_dimensions(key: RequestKey) -> Dimensions:
    """Return the dimensions of a request; those the application added do not replace them."""
    error = key.error_type or (str(key.status) if key.is_error else None)
    return dimensions_of([*key.dimensions, *request_attributes(key).items(), ("error.type", error)])


def websocket_dimensions(key: WebSocketKey) -> Dimensions:
    """Return the dimensions of connections."""
    return dimensions_of([("http.route", key.route), ("url.scheme", key.scheme)])


def _dimension_name(name: str) -> str:
    text = _STRANGE.sub("_", name.strip())
    if not text[0].isalpha() or text.startswith(RESERVED_PREFIXES):
        text = f"tag_{text}"
    return text[:MAX_DIMENSION_NAME]
