"""What a snapshot holds, as points: names of OpenTelemetry's conventions, dimensions as tags.

Apptuit has neither distributions nor changes. So a distribution becomes its count and sum, added up
since the process began, and mean, extremes and percentiles of the interval; a change becomes a
total.

Source:
    OpenTelemetry semantic conventions for HTTP, stable: `http.server.request.duration` and others.

Threads: one, its owner's.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.apptuit.rows import MAX_TAGS_LIMIT
from wf_instrument.guard import RateLimitedLog
from wf_instrument.metrics.conventions.dimensional import (
    REQUEST_FIGURES,
    identity_attributes,
    request_attributes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.identity import Identity
    from wf_instrument.metrics.histogram import ExponentialHistogram
    from wf_instrument.reporting.snapshot import (
        RequestInterval,
        RequestKey,
        Snapshot,
        Tags,
        WebSocketInterval,
    )

__all__ = ["SnapshotPoints"]

log = logging.getLogger(__name__)

_WEBSOCKET: Final = "http.server.websocket"
_WEBSOCKET_COUNTS: Final = (
    ("messages_received", f"{_WEBSOCKET}.messages.received"),
    ("messages_sent", f"{_WEBSOCKET}.messages.sent"),
    ("received_bytes", f"{_WEBSOCKET}.received.size"),
    ("sent_bytes", f"{_WEBSOCKET}.sent.size"),
)
_BLOCKED: Final = "asyncio.loop.blocked_time"
_QUANTILES: Final = (
    ("50_percentile", 0.5),
    ("75_percentile", 0.75),
    ("95_percentile", 0.95),
    ("99_percentile", 0.99),
)
#: Name, tags, Unix time in seconds, value.
Made = tuple[str, "dict[str, Any]", int, float]


class SnapshotPoints:
    """Makes points of snapshots, and adds up what Apptuit would not.

    Args:
        identity: Whose tags they carry.
    """

    def __init__(self, identity: Identity) -> None:
        host = {"host": identity.source} if identity.source.strip() else {}
        self._own = {**host, **identity_attributes(identity)}
        self._custom = {
            key: value for key, value in identity.tags.custom_tags if key.strip() and value
        }
        self._totals: dict[tuple[str, Tags], float] = {}
        self._log = RateLimitedLog(log)

    def of(self, snapshot: Snapshot) -> Iterator[Made]:
        """Make the points of a snapshot."""
        at_s = snapshot.ended_ns // 1_000_000_000
        for row in snapshot.requests:
            yield from self._request(row, at_s)
        for one in snapshot.websockets:
            yield from self._websocket(one, at_s)
        for live in snapshot.in_flight:
            tags = self._tags(
                {
                    "component": live.framework,
                    "http.request.method": live.method,
                    "http.route": live.route,
                    "url.scheme": live.scheme,
                }
            )
            yield "http.server.active_requests", tags, at_s, live.count
        for point in snapshot.points:
            tags = self._tags(dict(point.tags))
            value = point.value
            if point.kind == "delta":
                value = self._added(point.name, tags, value)
            yield point.name, tags, at_s, value
        for minute in snapshot.distributions:
            tags = self._tags(dict(minute.tags))
            yield from self._distribution(minute.name, tags, minute.minute_s, minute.histogram)

    def _request(self, row: RequestInterval, at_s: int) -> Iterator[Made]:
        tags = self._tags(_request_tags(row.key), row.key.dimensions)
        for field, name in REQUEST_FIGURES.items():
            yield from self._distribution(name, tags, at_s, getattr(row, field))
        if row.blocked is not None and row.blocked.count:
            yield from self._distribution(_BLOCKED, tags, at_s, row.blocked)

    def _websocket(self, row: WebSocketInterval, at_s: int) -> Iterator[Made]:
        key = row.key
        named = {"component": key.framework, "http.route": key.route, "url.scheme": key.scheme}
        tags = self._tags(named)
        yield f"{_WEBSOCKET}.active_connections", tags, at_s, row.in_flight
        for field, name in _WEBSOCKET_COUNTS:
            yield from self._total(f"{name}.count", tags, at_s, getattr(row, field))
        for end, count in row.ends:
            how = {
                "http.response.status_code": str(end.status),
                "outcome": end.outcome,
                "error.type": end.error_type,
            }
            yield from self._total(
                f"{_WEBSOCKET}.connections.count", self._tags({**named, **how}), at_s, count
            )
        yield from self._distribution(f"{_WEBSOCKET}.duration", tags, at_s, row.duration)
        yield from self._distribution(_BLOCKED, tags, at_s, row.blocked)
        if row.cpu_s is not None:
            yield from self._total(f"{_WEBSOCKET}.cpu_time.sum", tags, at_s, row.cpu_s)

    def _distribution(
        self, name: str, tags: dict[str, Any], at_s: int, values: ExponentialHistogram | None
    ) -> Iterator[Made]:
        if values is None or not values.count:
            return
        yield from self._total(f"{name}.count", tags, at_s, values.count)
        yield from self._total(f"{name}.sum", tags, at_s, values.sum)
        yield f"{name}.avg", tags, at_s, values.mean
        yield f"{name}.min", tags, at_s, values.min
        yield f"{name}.max", tags, at_s, values.max
        for suffix, share in _QUANTILES:
            yield f"{name}.{suffix}", tags, at_s, values.quantile(share)

    def _total(self, name: str, tags: dict[str, Any], at_s: int, change: float) -> Iterator[Made]:
        yield name, tags, at_s, self._added(name, tags, change)

    def _added(self, name: str, tags: dict[str, Any], change: float) -> float:
        key = name, tuple(tags.items())
        total = self._totals[key] = self._totals.get(key, 0.0) + change
        return total

    def _tags(self, named: dict[str, str | None], dimensions: Tags = ()) -> dict[str, Any]:
        """Return all tags: those the series needs first, then as many of others as are taken."""
        tags = {key: value for key, value in named.items() if key and value}
        for more in (self._own, dict(dimensions), self._custom):
            for key, value in more.items():
                if len(tags) >= MAX_TAGS_LIMIT:
                    self._log.warning(
                        "tags", "Apptuit takes %d tags: %r and others are left out",
                        MAX_TAGS_LIMIT, key,
                    )  # fmt: skip
                    return tags
                tags.setdefault(key, value)
        return tags


def _request_tags(key: RequestKey) -> dict[str, str | None]:
    return {
        "component": key.framework,
        **request_attributes(key),
        "outcome": key.outcome,
    }
