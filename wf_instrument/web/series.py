"""Where requests are counted: one handle a route and method, one cell a way of ending.

Threads: request threads append samples to a cell's list (atomic in CPython, with the GIL and in
    free-threaded builds, where a list locks itself); the pipeline's thread takes them.
Loss: no sample; one appended while the cell is being drained is taken by the next drain. Of
    exemplars, which only show an example, one may be.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from wf_instrument.metrics.histogram import ExponentialHistogram
from wf_instrument.policies import Policy
from wf_instrument.reporting.snapshot import (
    Exemplar,
    InFlight,
    Outcome,
    RequestInterval,
    RequestKey,
    Tags,
)
from wf_instrument.speed import CellState, HandleState, Samples
from wf_instrument.tracing.samplers import RateSampler
from wf_instrument.web.late_decision import NEVER_SLOW_NS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wf_instrument.tracing.span import WavefrontSpan
    from wf_instrument.web.late_decision import RecentLatency
    from wf_instrument.web.slo import SloCount

__all__ = ["ABSENT", "Cell", "RouteHandle", "Sample"]

#: Stands in a sample for a figure that could not be had.
ABSENT = -1

#: Latency, CPU and time to first byte in nanoseconds, request and response body in bytes.
Sample = tuple[int, int, int, int, int]

_NS = 1e-9
_NO_POLICY: Final = Policy()

#: From so many body sizes on, counting equal ones is cheaper than adding each.
_COUNT_FROM: Final = 64


class Cell(CellState):
    """The requests of one route and method that ended in one way.

    Attributes:
        samples: What the requests append to.
        queued_ns: Waits before us, of the requests whose proxy told.
        background_ns: Work after the last byte, of the requests that had some.
        blocked_ns: The longest step of each request that held the event loop for too long.
        exemplars: The latest kept span of each latency bucket, by the bits of its nanoseconds:
            one in a power of two.
        is_listed: Whether the recorder's list of cells to drain holds this one.
    """

    __slots__ = ("background_ns", "blocked_ns", "key")

    def __init__(self, handle: RouteHandle, key: RequestKey) -> None:
        self.handle = handle
        self.key = key
        self.samples = Samples()
        self.queued_ns: list[int] = []
        self.background_ns: list[int] = []
        self.blocked_ns: list[int] = []
        self.exemplars: dict[int, WavefrontSpan] = {}
        self.is_listed = False

    def drain(self) -> RequestInterval | None:
        """Take all samples, folded into histograms; None when there are none."""
        # First, so that a request appending from here on lists the cell anew.
        self.is_listed = False
        latency, cpu, ttfb, request_bytes, response_bytes = self.samples.take()
        if self.handle.slo is not None:
            self.handle.slo.add(self.key, latency)
        background, blocked = _take(self.background_ns), _take(self.blocked_ns)
        # Work that outlasts the interval of its request stands alone, with a count of 0.
        if not latency and not background and not blocked:
            return None
        return RequestInterval(
            key=self.key,
            count=len(latency),
            latency=_fold([ns * _NS for ns in latency]),
            ttfb=_fold_known(ttfb, _NS),
            cpu=_fold_known(cpu, _NS),
            queued=_fold_known(_take(self.queued_ns), _NS),
            request_bytes=_fold_sizes(request_bytes),
            response_bytes=_fold_sizes(response_bytes),
            background=_fold_known(background, _NS),
            blocked=_fold_known(blocked, _NS),
            exemplars=self._take_exemplars(),
        )

    def _take_exemplars(self) -> tuple[Exemplar, ...]:
        # Two atomic steps; one that a request sets in between is lost, and the next one is not.
        spans = self.exemplars.copy()
        self.exemplars.clear()
        return tuple(
            Exemplar(
                span.trace_id_int,
                span.span_id_int,
                span.duration_ns * _NS,
                span.start_ns + span.duration_ns,
            )
            for _, span in sorted(spans.items(), key=_bucket)
        )


class RouteHandle(HandleState):
    """One route and method: found by the request path with one dictionary look-up.

    Attributes:
        route_object: The framework's own object of the route, kept alive because its `id` is the
            key under which this handle is found.
        cells: By status, or by (status, outcome, error type) for what ended abnormally, and with
            the dimensions behind them for requests that have some of their own.
        policy: What is wanted of the route.
        counts: Whether its requests are counted.
        decides_late: Whether the end of each request has a say in keeping its span.
        quiet_paths: Where the path alone decides late: those whose spans are not kept; else None.
        recent: The route's latencies where its traces are sampled; None where they are not.
        slow_ns: The time of its slowest requests, of which the spans are kept.
        is_new: Whether none of its requests was kept as the first one yet.
        slo: Counts its good requests; None without an objective.
        share: Which of its new traces the policy keeps; None where it does not say.
    """

    __slots__ = (
        "framework",
        "is_new",
        "method",
        "module",
        "policy",
        "protocol",
        "recent",
        "route_object",
        "scheme",
        "share",
        "slo",
        "slow_ns",
    )

    def __init__(
        self,
        framework: str,
        route: str | None,
        func: str | None,
        module: str | None,
        method: str,
        scheme: str,
        protocol: str,
        route_object: object,
        policy: Policy = _NO_POLICY,
    ) -> None:
        self.framework = framework
        self.route = route
        self.func = func
        self.module = module
        self.method = method
        self.scheme = scheme
        self.protocol = protocol
        self.route_object = route_object
        self.cells: dict[object, Cell] = {}
        self.policy = policy
        self.counts = not policy.excludes("metrics")
        self.slo: SloCount | None = None
        self.recent: RecentLatency | None = None
        self.slow_ns = NEVER_SLOW_NS
        self.is_new = True
        self.quiet_paths = None
        self.share = None if policy.sample is None else RateSampler(policy.sample)
        self.decides_late = policy.sample is not None or policy.is_quiet or policy.excludes("spans")

    def cell(
        self,
        status: int,
        outcome: Outcome | None,
        error_type: str | None,
        dimensions: Tags = (),
    ) -> Cell:
        """Return the cell for a way of ending, made if need be."""
        key: object = status if outcome is None else (status, outcome, error_type)
        if dimensions:
            key = (status, outcome, error_type, dimensions)
        cell = self.cells.get(key)
        if cell is None:
            named = outcome or _outcome_of(status)
            request_key = RequestKey(
                framework=self.framework,
                route=self.route,
                func=self.func,
                module=self.module,
                method=self.method,
                status=status,
                scheme=self.scheme,
                protocol=self.protocol,
                outcome=named,
                error_type=error_type,
                dimensions=dimensions,
            )
            # Of two threads making the same cell, both get the one that was first.
            cell = self.cells.setdefault(key, Cell(self, request_key))
        return cell

    def in_flight(self, count: int) -> InFlight:
        """Return the gauge of this route and method."""
        return InFlight(
            self.framework, self.route, self.func, self.method, count, self.scheme, self.module
        )


def _bucket(item: tuple[int, WavefrontSpan]) -> int:
    return item[0]


def _outcome_of(status: int) -> Outcome:
    if status >= 500:
        return "server_error"
    return "client_error" if status >= 400 else "ok"


def _take(samples: list[int]) -> list[int]:
    # Never swap the list: a thread that fetched it before would append to the old one.
    n = len(samples)
    part = samples[:n]
    del samples[:n]
    return part


def _fold(values: list[float]) -> ExponentialHistogram:
    histogram = ExponentialHistogram()
    histogram.add_many(values)
    return histogram


def _fold_sizes(values: Sequence[int]) -> ExponentialHistogram | None:
    if not values:
        return None
    histogram = ExponentialHistogram()
    if len(values) < _COUNT_FROM:
        histogram.add_many(values)
        return histogram
    # A route's bodies are mostly of a few sizes; counting them runs in C.
    for size, count in Counter(values).items():
        histogram.add_weighted(size, count)
    return histogram


def _fold_known(values: Iterable[int], factor: float) -> ExponentialHistogram | None:
    known = [value * factor for value in values if value >= 0]
    return _fold(known) if known else None
