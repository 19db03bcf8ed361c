"""The recorder: owns the handles, cells and live requests of one instrumented application.

Threads: request threads use `handle`, `live` and `touched`, by single dictionary and list
    operations that CPython makes atomic; the pipeline's thread calls `drain_into`.
Locks: `_making` is held while a handle is made, once per route and method, never on the network.
Fork: the child drops what it inherited: the parent reports that.
Loss: routes beyond `max_series` share one overflow series, counted in `overflowed`.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import RateLimitedLog, guard
from wf_instrument.policies import Policy
from wf_instrument.reporting.snapshot import (
    OVERFLOW_ROUTE,
    Point,
    RunningRequest,
    SnapshotDraft,
    UnmatchedPath,
)
from wf_instrument.speed import RecorderState
from wf_instrument.web.dimensions import DimensionBudget
from wf_instrument.web.incoming import IncomingTrust
from wf_instrument.web.late_decision import RecentLatency
from wf_instrument.web.series import Cell, RouteHandle
from wf_instrument.web.slo import SloCounts
from wf_instrument.web.websocket_series import WebSocketLedger

if TYPE_CHECKING:
    from wf_instrument.reporting.pipeline import Pipeline
    from wf_instrument.settings import Settings
    from wf_instrument.tracing.tracer import WavefrontTracer
    from wf_instrument.web.extras import RequestExtras

__all__ = ["EndpointOf", "LiveRequest", "Recorder", "RouteNames"]

log = logging.getLogger(__name__)

#: Unmatched paths counted apart in one interval, so that a scan cannot fill the memory.
_MAX_UNMATCHED: Final = 1000
_TOP_UNMATCHED: Final = 50

#: Method names as we keep them; what is not here is `_OTHER`.
#: Source: OpenTelemetry semantic conventions, HTTP, `http.request.method`.
_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}
)
_SCHEMES: Final = frozenset({"http", "https", "ws", "wss"})
_PROTOCOLS: Final = {
    "HTTP/1.0": "1.0",
    "HTTP/1.1": "1.1",
    "HTTP/2": "2",
    "HTTP/2.0": "2",
    "HTTP/3": "3",
    # As ASGI spells them.
    "1.0": "1.0",
    "1.1": "1.1",
    "2": "2",
    "3": "3",
}

#: Template, function and module of a framework's route object.
RouteNames = Callable[[object], tuple[str, "str | None", "str | None"]]

#: View function or class of a framework's route object; None where it has none.
EndpointOf = Callable[[object], "object | None"]


class LiveRequest(Protocol):
    """A request being served, as the drain sees it."""

    started_mono_ns: int
    method: str

    def peek_handle(self) -> RouteHandle | None:
        """Return the route's handle once the framework knows the route; called by any thread."""

    def trace_id(self) -> int | None:
        """Return the id of the request's trace, None without a span."""


class Recorder(RecorderState):
    """Records the requests of one application and fills snapshots with them.

    Args:
        framework: Prefix of metric names and `component` of spans.
        settings: Limits, exclusions and what is recorded.
        pipeline: Started by the first request, woken when a cell fills up.
        tracer: Makes server spans; None records metrics alone.
        route_names: Turns a framework's route object into names.
        extras: What requests do besides; None for nothing.
        endpoint_of: Finds the view of a framework's route object, which may be decorated with a
            policy; by default its attribute `endpoint`.
    """

    def __init__(
        self,
        framework: str,
        settings: Settings,
        pipeline: Pipeline,
        tracer: WavefrontTracer | None,
        route_names: RouteNames,
        extras: RequestExtras | None = None,
        endpoint_of: EndpointOf | None = None,
    ) -> None:
        self.framework = framework
        self.extras = extras
        self.trust = IncomingTrust(settings)
        self.settings = settings
        self.pipeline = pipeline
        self.tracer = tracer
        self.metrics = settings.metrics
        self.fold_after = settings.fold_after
        self.excluded = settings.excluded_pattern()
        self.error_statuses = frozenset(
            status for part in settings.error_status_ranges() for status in part
        )
        self.policies = settings.policy_table()
        self.loop_block_ns = round(settings.loop_block_threshold_ms * 1e6)
        self.live: set[LiveRequest] = set()
        self.websockets = WebSocketLedger()
        self.touched: list[Cell] = []
        self.unmatched_paths: list[str] = []
        self.overflowed = 0
        self._route_names = route_names
        self._endpoint_of = endpoint_of or _endpoint_attribute
        # The first by what we keep, the second also by what servers spell.
        self._made: dict[object, RouteHandle] = {}
        self._handles: dict[object, RouteHandle] = {}
        self._slos = SloCounts()
        self._was_in_flight: set[RouteHandle] = set()
        self._log = RateLimitedLog(log)
        self.dimensions = DimensionBudget(
            settings.max_dimension_values, settings.max_series, lambda: len(self._made)
        )
        self._making = threading.Lock()
        self.cpu_clock: Callable[[], int] | None = _thread_clock()
        self.keeps_query = settings.url_query
        #: One of these is in the environ of a request that has more than most.
        self.noted_keys = tuple(
            {"CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_X_REQUEST_START"}.union(
                () if tracer is None else tracer.registry.environ_keys
            )
        )
        #: The same for ASGI.
        self.noted_headers = frozenset({b"x-request-start"}).union(
            () if tracer is None else tracer.registry.header_names
        )
        pipeline.add_producer(self)
        reset_after_fork(self._in_child)

    def start_reporting(self) -> None:
        """Have the pipeline run; to be asked for by the first request of a process."""
        self.pipeline.start()
        self.is_reporting = True

    def _in_child(self) -> None:
        self.is_reporting = False
        self._making = threading.Lock()
        self.live.clear()
        self.websockets.clear()
        self.touched.clear()
        self.unmatched_paths.clear()
        self._slos.clear()
        for handle in self._made.values():
            handle.cells.clear()
            if handle.recent is not None:
                # The parent may have been in the middle of adding to it.
                handle.recent = RecentLatency()

    def handle(
        self, route_object: object | None, method: str, scheme: str, protocol: str
    ) -> RouteHandle:
        """Return the handle of a route; `route_object` is None when none matched.

        `method`, `scheme` and `protocol` (`HTTP/1.1`) are as the server gave them. To be asked once
        a request: those past `max_series` are counted.
        """
        try:
            return self._handles[id(route_object), method, scheme, protocol]
        except KeyError:
            pass  # what follows asks the framework, outside of an exception
        return self._make_handle(route_object, method, scheme, protocol, counts=True)

    def peek(
        self, route_object: object | None, method: str, scheme: str, protocol: str
    ) -> RouteHandle:
        """As `handle`, for a request that still runs and will ask for it itself."""
        handle = self._handles.get((id(route_object), method, scheme, protocol))
        return handle or self._make_handle(route_object, method, scheme, protocol, counts=False)

    def _make_handle(
        self, route_object: object | None, method: str, scheme: str, protocol: str, *, counts: bool
    ) -> RouteHandle:
        known = (
            method if method in _METHODS else "_OTHER",
            scheme if scheme in _SCHEMES else "http",
            _PROTOCOLS.get(protocol, "1.1"),
        )
        with self._making:
            key: object = (id(route_object), *known)
            handle = self._made.get(key)
            if handle is None:
                route: str | None
                route, func, module = None, None, None
                if route_object is not None:
                    route, func, module = self._route_names(route_object)
                    if len(self._made) >= self.settings.max_series:
                        return self._overflow(known, counts=counts)
                handle = self._new_handle(route, func, module, known, route_object)
                self._made[key] = handle
            if protocol in _PROTOCOLS and known[:2] == (method, scheme):
                # As the server spells it, so that the next look-up hits at once.
                self._handles[id(route_object), method, scheme, protocol] = handle
            return handle

    def _new_handle(
        self,
        route: str | None,
        func: str | None,
        module: str | None,
        known: tuple[str, str, str],
        route_object: object | None,
    ) -> RouteHandle:
        """Return a handle with the policy of its route, found this once."""
        policy = Policy()
        with guard("recorder.policy"):  # views are the application's, and may be anything
            endpoint = None if route_object is None else self._endpoint_of(route_object)
            policy = self.policies.policy_of(route, known[0], endpoint)
        handle = RouteHandle(self.framework, route, func, module, *known, route_object, policy)
        handle.slo = self._slos.of(handle)
        sample = self.settings.sample_rate if policy.sample is None else policy.sample
        if 0 < sample < 1:
            handle.recent = RecentLatency()
        if route is None and self.policies.quiet_paths:
            if not handle.decides_late and handle.recent is None:
                handle.quiet_paths = self.policies.quiet_paths
            handle.decides_late = True
        return handle

    def _overflow(self, known: tuple[str, str, str], *, counts: bool) -> RouteHandle:
        """Caller holds `_making`."""
        if counts:
            self.overflowed += 1
        self._log.warning(
            "overflow",
            "more than %d routes and methods (setting max_series); further ones share %s",
            self.settings.max_series,
            OVERFLOW_ROUTE,
        )
        key = (OVERFLOW_ROUTE, *known)
        handle = self._made.get(key)
        if handle is None:
            handle = RouteHandle(self.framework, OVERFLOW_ROUTE, None, None, *known, None)
            self._made[key] = handle
        return handle

    def list_cell(self, cell: Cell) -> None:
        """Have the next drain look at a cell, after something was appended to it."""
        if not cell.is_listed:
            cell.is_listed = True
            self.touched.append(cell)

    def note_unmatched(self, path: str) -> None:
        """Remember the path of a request that matched no route."""
        if len(self.unmatched_paths) < _MAX_UNMATCHED:
            self.unmatched_paths.append(path[:200])

    def drain_into(self, draft: SnapshotDraft) -> None:
        """Move everything recorded since the last call into the draft."""
        seen = self._drain_cells(draft)
        draft.points += self._slos.points(seen)
        if self.metrics:
            self._drain_live(draft, seen)
            draft.websockets += self.websockets.drain()
        n = len(self.unmatched_paths)
        paths = Counter(self.unmatched_paths[:n])
        del self.unmatched_paths[:n]
        draft.unmatched += [
            UnmatchedPath(path, count) for path, count in paths.most_common(_TOP_UNMATCHED)
        ]
        if self.overflowed:
            draft.self_points.append(
                Point("wf_instrument.routes.overflowed", self.overflowed, "counter")
            )
        draft.self_points += self.dimensions.self_points()

    def _drain_cells(self, draft: SnapshotDraft) -> set[RouteHandle]:
        """Fold what requests left in their cells; return the routes they were of."""
        n = len(self.touched)
        cells = self.touched[:n]
        del self.touched[:n]
        seen: set[RouteHandle] = set()
        for cell in cells:
            interval = cell.drain()
            recent = cell.handle.recent
            if interval is not None:
                draft.requests.append(interval)
                if recent is not None:
                    recent.add(interval.latency)
            seen.add(cell.handle)
        for handle in seen:
            if handle.recent is not None:
                handle.slow_ns = handle.recent.slow_ns()
        return seen

    def _drain_live(self, draft: SnapshotDraft, seen: set[RouteHandle]) -> None:
        now_ns = time.perf_counter_ns()
        live = list(self.live)
        counts: Counter[RouteHandle] = Counter()
        for request in live:
            handle = None
            with guard("recorder.peek"):  # frameworks change a request while we look at it
                handle = request.peek_handle()
            if handle is not None and handle.counts:
                counts[handle] += 1
            draft.running.append(
                RunningRequest(
                    self.framework,
                    None if handle is None else handle.route,
                    request.method,
                    max(0, now_ns - request.started_mono_ns) * 1e-9,
                    request.trace_id(),
                )
            )
        # A route that was in flight or just finished is reported down to its 0.
        for handle in {*counts, *seen, *self._was_in_flight}:
            draft.in_flight.append(handle.in_flight(counts[handle]))
        self._was_in_flight = set(counts)
        total = draft.total_in_flight.get(self.framework, 0)
        draft.total_in_flight[self.framework] = total + len(live)


def _endpoint_attribute(route_object: object) -> object | None:
    return getattr(route_object, "endpoint", None)


def _thread_clock() -> Callable[[], int] | None:
    """Return the CPU clock of a thread, None where a thread serves several requests at a time."""
    for name in ("gevent.monkey", "eventlet.patcher"):
        module = sys.modules.get(name)
        if module is None:
            continue
        is_patched = getattr(module, "is_module_patched", None) or getattr(
            module, "is_monkey_patched", None
        )
        if is_patched is not None and (is_patched("threading") or is_patched("thread")):
            return None
    return time.thread_time_ns
