"""What a snapshot holds, as the series that Librato shows; no I/O.

Requests: `http.server.requests`, `.errors`, `.duration` and so on, by the tags `route`, `method`,
`status`, ...; times in milliseconds. WebSockets: `websocket.*`. Points and distributions of
registries under their own names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wf_instrument.backends.librato.wire_names import route_value
from wf_instrument.metrics.delta_counter import DELTA_PREFIXES
from wf_instrument.metrics.histogram import ExponentialHistogram
from wf_instrument.reporting.snapshot import UNKNOWN_ROUTE

if TYPE_CHECKING:
    from wf_instrument.backends.librato.measurement_table import MeasurementTable
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.snapshot import Snapshot, Tags

__all__ = ["add_snapshot", "identity_tags"]

#: Figures in seconds, sent in milliseconds, by the field of a row.
_TIMES: Final = ("latency", "ttfb", "cpu", "queued", "background", "blocked")
_SIZES: Final = ("request_bytes", "response_bytes")
_NAMES: Final = {"latency": "duration"}
_MS: Final = 1e3
_DELTA_MARKS: Final = "".join(DELTA_PREFIXES)


def identity_tags(identity: Identity) -> Tags:
    """Return the tags of everything a process reports."""
    tags = identity.tags
    found: dict[str, str | None] = {
        **dict(tags.custom_tags),
        "application": tags.application,
        "service": tags.service,
        "cluster": tags.cluster,
        "shard": tags.shard,
        "source": identity.source,
        # Of several workers each has its own series: the service keeps one value of a moment.
        "worker": str(identity.worker_slot) if identity.worker_slot else None,
    }
    ours = ("application", "service", "cluster", "shard", "source", "worker")
    # Ours first: what is too much is cut from the end.
    names = dict.fromkeys((*ours, *found))
    return tuple((name, value) for name in names if (value := found[name]))


def add_snapshot(table: MeasurementTable, snapshot: Snapshot) -> None:
    """Add all that a snapshot holds, spans excepted, for which the service has no place."""
    _add_requests(table, snapshot)
    _add_websockets(table, snapshot)
    for point in snapshot.points:
        if point.kind == "delta":
            # The mark of a change, which is Wavefront's.
            table.add(point.name.lstrip(_DELTA_MARKS), point.tags, point.value)
        else:
            table.put(point.name, point.tags, point.value)
    for row in snapshot.distributions:
        table.add_values(row.name, row.tags, row.histogram, percentiles=True, time_s=row.minute_s)


def _add_requests(table: MeasurementTable, snapshot: Snapshot) -> None:
    for row in snapshot.requests:
        key = row.key
        tags = (
            *_route_tags(key.framework, key.route, key.func),
            ("method", key.method),
            ("status", str(key.status)),
            ("outcome", key.outcome),
            *key.dimensions,
        )
        if row.count:  # else work that outlasted its request's period
            table.add("http.server.requests", tags, row.count)
            table.add("http.server.errors", tags, row.count if key.is_error else 0)
        for field in _TIMES:
            name = f"http.server.{_NAMES.get(field, field)}"
            values = _scaled(getattr(row, field))
            table.add_values(name, tags, values, percentiles=field == "latency")
        for field in _SIZES:
            table.add_values(f"http.server.{field}", tags, getattr(row, field))
    for live in snapshot.in_flight:
        tags = (*_route_tags(live.framework, live.route, live.func), ("method", live.method))
        table.add("http.server.in_flight", tags, live.count)


def _add_websockets(table: MeasurementTable, snapshot: Snapshot) -> None:
    for row in snapshot.websockets:
        tags = _route_tags(row.key.framework, row.key.route, row.key.func)
        table.add("websocket.open", tags, row.in_flight)
        for name in ("messages_received", "messages_sent", "received_bytes", "sent_bytes"):
            table.add(f"websocket.{name}", tags, getattr(row, name))
        for end, count in row.ends:
            ended = (*tags, ("status", str(end.status)), ("outcome", end.outcome))
            table.add("websocket.connections", ended, count)
            table.add("websocket.errors", ended, count if end.is_error else 0)
        for name in ("duration", "blocked"):
            table.add_values(f"websocket.{name}", tags, _scaled(getattr(row, name)))


def _route_tags(framework: str, route: str | None, func: str | None) -> Tags:
    tags: Tags = (
        ("framework", framework),
        ("route", UNKNOWN_ROUTE if route is None else route_value(route)),
    )
    return (*tags, ("func", func)) if func else tags


def _scaled(values: ExponentialHistogram | None) -> ExponentialHistogram | None:
    """Return seconds as milliseconds: each bucket's values stand at their mean."""
    if values is None or not values.count:
        return None
    scaled = ExponentialHistogram()
    for mean, count in values.centroids():
        scaled.add_weighted(mean * _MS, count)
    # What is known exactly stays exact.
    scaled.min, scaled.max, scaled.sum = values.min * _MS, values.max * _MS, values.sum * _MS
    return scaled
