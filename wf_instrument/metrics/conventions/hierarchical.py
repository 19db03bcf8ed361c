"""The Wavefront convention: dimensions in dotted names, application tags as point tags.

Source:
    Wavefront Flask SDK, README, "Out of the box metrics and histograms".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from wf_instrument.identity import NO_VALUE
from wf_instrument.metrics.conventions.entity_names import entity_name, route_tags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.identity import Identity

__all__ = ["Figure", "Hierarchy", "Series", "SeriesKind", "entity_name", "route_tags"]

SeriesKind = Literal["gauge", "counter", "delta", "histogram"]
#: Which figure of the recorded requests a series shows, and in which unit.
Figure = Literal[
    "in_flight",
    "count",
    "errors",
    "total_ms",
    "latency_ms",
    "cpu_ns",
    "ttfb_ms",
    "request_bytes",
    "response_bytes",
    "queued_ms",
    "background_ms",
    "blocked_ms",
    "connections",
    "messages_received",
    "messages_sent",
    "received_bytes",
    "sent_bytes",
    "duration_ms",
]
Tags = tuple[tuple[str, str], ...]


#: The tag levels that a delta counter is added up over, the narrowest first, and the tags left.
_LEVELS: Final = (
    ("shard", ("application", "cluster", "service", "shard")),
    ("service", ("application", "cluster", "service")),
    ("cluster", ("application", "cluster")),
    ("application", ("application",)),
)


#: Tag names that a point line means its source by.
#: Source: Wavefront data format, "Wavefront Data Format Fields".
_POINT_FIELDS: Final[Tags] = (("source", ""), ("host", ""))


@dataclass(frozen=True, slots=True)
class Series:
    """One series: what it is called, how it is sent, and what it shows.

    `is_aggregated` series have the source `wavefront-provided`: the service adds them up.
    """

    name: str
    kind: SeriesKind
    figure: Figure
    tags: Tags
    is_aggregated: bool = False


class Hierarchy:
    """Names the series of one process; the caller caches what it returns.

    Args:
        identity: Whose tags the series carry.
    """

    def __init__(self, identity: Identity) -> None:
        tags = identity.tags
        self._base = {
            "application": tags.application,
            "cluster": tags.cluster or NO_VALUE,
            "service": tags.service,
            "shard": tags.shard or NO_VALUE,
        }
        self._custom: Tags = tuple(
            (key, value)
            for key, value in tags.custom_tags
            # A blank value, of an unset variable say, would make every line invalid.
            if key not in self._base and key.strip() and value.strip()
        )
        # Deltas add up by themselves; other series of several workers would overwrite each other.
        slot = identity.worker_slot
        self._worker: Tags = (("worker", str(slot)),) if slot else ()

    def of_requests(
        self,
        framework: str,
        route: str | None,
        func: str | None,
        module: str | None,
        method: str,
        status: int,
        dimensions: Tags = (),
    ) -> list[Series]:
        """Return the series of finished requests of a route, method and status.

        `dimensions` become tags of the route's series; totals over all routes stay one series.
        """
        entity = entity_name(route)
        response = f"{framework}.response.{entity}.{method}.{status}"
        summary = f"{framework}.response.{entity}.summary.{method}.{status}"
        named = route_tags(framework, func, module)
        named += self._own_dimensions(named, dimensions)
        full = self._full(named)
        return [
            Series(f"{response}.cumulative.count", "counter", "count", full),
            *self._aggregated(response, "count", named),
            Series(f"{summary}.latency", "histogram", "latency_ms", full),
            Series(f"{summary}.cpu_ns", "histogram", "cpu_ns", full),
            Series(f"{summary}.ttfb", "histogram", "ttfb_ms", full),
            Series(f"{summary}.queued", "histogram", "queued_ms", full),
            Series(f"{summary}.background", "histogram", "background_ms", full),
            self._blocked(framework, full),
            Series(f"{summary}.total_time.count", "counter", "total_ms", full),
            Series(f"{response}.body_bytes", "histogram", "response_bytes", full),
            Series(
                f"{framework}.request.{entity}.{method}.body_bytes",
                "histogram",
                "request_bytes",
                full,
            ),
            Series(
                f"{framework}.response.{entity}.{method}.errors.count", "counter", "errors", full
            ),
            *self._overall(f"{framework}.response.completed", "count"),
            *self._overall(f"{framework}.response.errors", "errors"),
        ]

    def of_in_flight(
        self, framework: str, route: str | None, func: str | None, module: str | None, method: str
    ) -> Series:
        """Return the in-flight gauge of a route and method."""
        return Series(
            f"{framework}.request.{entity_name(route)}.{method}.inflight.value",
            "gauge",
            "in_flight",
            self._full(route_tags(framework, func, module)),
        )

    def of_total_in_flight(self, framework: str) -> Series:
        """Return the in-flight gauge over all routes."""
        return Series(
            f"{framework}.total_requests.inflight.value", "gauge", "in_flight", self._full(())
        )

    def of_websockets(
        self, framework: str, route: str | None, func: str | None, module: str | None
    ) -> list[Series]:
        """Return the series of the WebSocket connections of a route.

        That of ended connections lacks the tags `status` and `outcome`.
        """
        name = f"{framework}.websocket.{entity_name(route)}"
        full = self._full(route_tags(framework, func, module))
        return [
            Series(f"{name}.inflight.value", "gauge", "in_flight", full),
            Series(f"{name}.connections.count", "counter", "connections", full),
            Series(f"{name}.messages_received.count", "counter", "messages_received", full),
            Series(f"{name}.messages_sent.count", "counter", "messages_sent", full),
            Series(f"{name}.received_bytes.count", "counter", "received_bytes", full),
            Series(f"{name}.sent_bytes.count", "counter", "sent_bytes", full),
            Series(f"{name}.duration", "histogram", "duration_ms", full),
            self._blocked(framework, full),
        ]

    def _blocked(self, framework: str, full: Tags) -> Series:
        return Series(f"{framework}.loop.blocked", "histogram", "blocked_ms", full)

    def _overall(self, name: str, figure: Figure) -> Iterator[Series]:
        yield Series(f"{name}.aggregated_per_source.count", "counter", figure, self._full(()))
        yield from self._aggregated(name, figure, ())

    def _aggregated(self, name: str, figure: Figure, named: Tags) -> Iterator[Series]:
        for level, keys in _LEVELS:
            if self._base[level] == NO_VALUE and level in {"cluster", "shard"}:
                continue  # nothing to add up per
            tags = (*((key, self._base[key]) for key in keys), *named, *self._custom)
            yield Series(f"{name}.aggregated_per_{level}.count", "delta", figure, tags, True)

    def _own_dimensions(self, named: Tags, dimensions: Tags) -> Tags:
        """Return the dimensions as tags that take nothing away from the tags of ours."""
        taken = dict((*self._full(named), *_POINT_FIELDS))
        return tuple((f"_{key}" if key in taken else key, value) for key, value in dimensions)

    def _full(self, named: Tags) -> Tags:
        return (*self._base.items(), *named, *self._custom, *self._worker)
