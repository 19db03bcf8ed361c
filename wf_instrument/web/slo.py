"""Service level objectives: how many requests of a route were good, of how many.

Threads: the pipeline's thread alone counts and reports.
Fork: the child starts from nothing; the parent reports what was counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wf_instrument.metrics.conventions.entity_names import entity_name, route_tags
from wf_instrument.reporting.snapshot import Point

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wf_instrument.reporting.snapshot import RequestKey, Tags
    from wf_instrument.web.series import RouteHandle

__all__ = ["SloCount", "SloCounts"]

#: Nobody's fault: the client went away, or the task was cancelled.
_UNCOUNTED: Final = frozenset({"client_disconnect", "cancelled"})
_BAD: Final = frozenset({"server_error", "timeout", "aborted_stream"})


class SloCount:
    """Good and all requests of one series.

    A good request did not fail, and took no longer than the objective says; an error of the
    client (status 4xx) is no failure of the service. Requests that the client left are not
    counted.
    """

    def __init__(self, prefix: str, tags: Tags, slo_ns: int) -> None:
        self.good = 0
        self.total = 0
        self._prefix = prefix
        self._tags = tags
        self._slo_ns = slo_ns

    def add(self, key: RequestKey, latencies_ns: Sequence[int]) -> None:
        """Count requests that ended in one way."""
        if key.outcome in _UNCOUNTED:
            return
        self.total += len(latencies_ns)
        if key.outcome not in _BAD:
            # Of the very figures: a histogram would round them.
            self.good += sum(latency_ns <= self._slo_ns for latency_ns in latencies_ns)

    def points(self) -> list[Point]:
        """Return both counters."""
        return [
            Point(f"{self._prefix}.slo.good.count", self.good, "counter", self._tags),
            Point(f"{self._prefix}.slo.total.count", self.total, "counter", self._tags),
        ]


class SloCounts:
    """The counts of all routes that have an objective; routes of one name share theirs."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, Tags], SloCount] = {}

    def of(self, handle: RouteHandle) -> SloCount | None:
        """Return what counts for a route, None when it has no objective."""
        slo_ns = handle.policy.slo_ns
        if slo_ns is None:
            return None
        prefix = f"{handle.framework}.response.{entity_name(handle.route)}.{handle.method}"
        tags = route_tags(handle.framework, handle.func, handle.module)
        return self._counts.setdefault((prefix, tags), SloCount(prefix, tags, slo_ns))

    def clear(self) -> None:
        """Begin from nothing, as a forked child does."""
        for count in self._counts.values():
            count.good = count.total = 0

    @staticmethod
    def points(handles: Iterable[RouteHandle]) -> list[Point]:
        """Return the counters of those of the routes that have an objective."""
        # Http and https, say, are two handles of one series.
        counts = dict.fromkeys(handle.slo for handle in handles)
        return [point for count in counts if count is not None for point in count.points()]
