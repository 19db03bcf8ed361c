"""What a reporter is given: everything one interval brought, ready to be named and sent.

A snapshot is additive: two of them in a row merge into one that says the same. Nobody changes
one after the pipeline handed it over; the histograms in it are shared by all reporters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from wf_instrument.identity import Identity
    from wf_instrument.metrics.histogram import ExponentialHistogram
    from wf_instrument.tracing.span_data import SpanData

__all__ = [
    "OVERFLOW_ROUTE",
    "UNKNOWN_ROUTE",
    "Exemplar",
    "InFlight",
    "MinuteDistribution",
    "Outcome",
    "Point",
    "PointKind",
    "RequestInterval",
    "RequestKey",
    "RunningRequest",
    "Snapshot",
    "Tags",
    "UnmatchedPath",
    "WebSocketEnd",
    "WebSocketInterval",
    "WebSocketKey",
]

Tags = tuple[tuple[str, str], ...]

Outcome = Literal[
    "ok",
    "client_error",
    "server_error",
    "client_disconnect",
    "cancelled",
    "timeout",
    "aborted_stream",
]
PointKind = Literal["gauge", "counter", "delta"]

#: How a request is named that matched no route, where a name is needed.
UNKNOWN_ROUTE: Final = "UNKNOWN"
#: The one route that all requests beyond the cardinality budget share.
OVERFLOW_ROUTE: Final = "_OVERFLOW_"

#: Outcomes that are nobody's error: the client went away or the task was cancelled.
_BLAMELESS: Final = frozenset({"client_disconnect", "cancelled"})


@dataclass(frozen=True, slots=True)
class RequestKey:
    """The dimensions of a request, as the framework spells them.

    Attributes:
        framework: `flask`, `starlette`, ...; the prefix of hierarchical names.
        route: The route template; None when no route matched.
        func: The endpoint (view function); None when no route matched.
        module: The view's module, for frameworks that name it apart (Django).
        method: The HTTP method, or `_OTHER`.
        status: The status sent to the client.
        scheme: `http` or `https`.
        protocol: The HTTP version, `1.1`.
        outcome: How it ended.
        error_type: Class name of the exception, or None.
        dimensions: Tags the application added to the request.
    """

    framework: str
    route: str | None
    func: str | None
    method: str
    status: int
    scheme: str = "http"
    protocol: str = "1.1"
    outcome: Outcome = "ok"
    error_type: str | None = None
    module: str | None = None
    dimensions: Tags = ()

    @property
    def is_error(self) -> bool:
        """Whether metrics count it as an error: status 400 and up, or an exception."""
        if self.outcome in _BLAMELESS:
            return False
        return self.status >= 400 or self.error_type is not None


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One request of a histogram's bucket, whose span was kept.

    Attributes:
        trace_id: 128 bits.
        span_id: 64 bits.
        value_s: Its latency, seconds.
        time_ns: When it ended, Unix time in nanoseconds.
    """

    trace_id: int
    span_id: int
    value_s: float
    time_ns: int

    @property
    def bucket(self) -> int:
        """The bits of the latency in nanoseconds: one bucket an octave."""
        return round(self.value_s * 1e9).bit_length()


@dataclass(frozen=True, slots=True)
class RequestInterval:
    """The finished requests of one key in one interval. Times in seconds, sizes in bytes.

    A histogram is None when no request of the interval had the figure (CPU under gevent, ...);
    its count may be below `count` for the same reason. `count` is 0 when all there was is
    `background` or `blocked` of requests that ended in an earlier interval.

    Attributes:
        background: From the last byte until the application returned (background tasks).
        blocked: Of the requests that held the event loop longer than
            `loop_block_threshold_ms` in one step, the longest step.
        exemplars: The latest kept span of each latency bucket, ascending by latency.
    """

    key: RequestKey
    count: int
    latency: ExponentialHistogram
    ttfb: ExponentialHistogram | None = None
    cpu: ExponentialHistogram | None = None
    queued: ExponentialHistogram | None = None
    request_bytes: ExponentialHistogram | None = None
    response_bytes: ExponentialHistogram | None = None
    background: ExponentialHistogram | None = None
    blocked: ExponentialHistogram | None = None
    exemplars: tuple[Exemplar, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True, slots=True)
class InFlight:
    """How many requests of a route and method were being served when the interval ended.

    Also reported with `count` 0 for a route seen in the interval. Routes that the framework has
    not told yet are in `Snapshot.total_in_flight` alone.
    """

    framework: str
    route: str | None
    func: str | None
    method: str
    count: int
    scheme: str = "http"
    module: str | None = None


@dataclass(frozen=True, slots=True)
class WebSocketKey:
    """The dimensions of WebSocket connections, as the framework spells them.

    Attributes:
        framework: As of `RequestKey`, like the others.
        scheme: `ws` or `wss`.
    """

    framework: str
    route: str | None
    func: str | None
    module: str | None = None
    scheme: str = "ws"


@dataclass(frozen=True, slots=True)
class WebSocketEnd:
    """One way in which connections ended.

    Attributes:
        status: 101 when it was accepted, else what the client was answered.
        outcome: How it ended; `client_disconnect` when the client was lost without a word.
        error_type: Class name of the exception that left the handler, or None.
    """

    status: int
    outcome: Outcome = "ok"
    error_type: str | None = None

    @property
    def is_error(self) -> bool:
        """Whether metrics count it as an error: refused, failed, or closed for a fault."""
        return self.outcome != "ok" and self.outcome not in _BLAMELESS


@dataclass(frozen=True, slots=True)
class WebSocketInterval:
    """The WebSocket connections of one key in one interval. Times in seconds, sizes in bytes.

    What passes is counted while a connection is open; what is known only at its end, when it ends.

    Attributes:
        in_flight: Connections being served when the interval ended; those of `RequestInterval`
            are not among them.
        messages_received: From clients.
        messages_sent: To clients.
        received_bytes: Of the messages from clients.
        sent_bytes: Of the messages to clients.
        ends: The connections that ended, by how.
        duration: From the handshake to the end, of the connections that were accepted.
        cpu_s: CPU time of the handlers; None where it cannot be had.
        blocked: Steps of handlers that held the event loop longer than
            `loop_block_threshold_ms`.
    """

    key: WebSocketKey
    in_flight: int = 0
    messages_received: int = 0
    messages_sent: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    ends: tuple[tuple[WebSocketEnd, int], ...] = ()
    duration: ExponentialHistogram | None = None
    cpu_s: float | None = None
    blocked: ExponentialHistogram | None = None

    @property
    def connections(self) -> int:
        """How many connections ended."""
        return sum(count for _, count in self.ends)

    @property
    def errors(self) -> int:
        """How many of them failed."""
        return sum(count for end, count in self.ends if end.is_error)


@dataclass(frozen=True, slots=True)
class RunningRequest:
    """One request being served when the interval ended."""

    framework: str
    route: str | None
    method: str
    age_s: float
    trace_id: int | None = None


@dataclass(frozen=True, slots=True)
class UnmatchedPath:
    """A concrete path that matched no route, and how often; only the most frequent are kept."""

    path: str
    count: int


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one metric of a registry. `name` is complete, in dotted form.

    A `delta` is the change within this interval; `counter` (cumulative) and `gauge` replace the
    value of an earlier snapshot.
    """

    name: str
    value: float
    kind: PointKind
    tags: Tags = ()


@dataclass(frozen=True, slots=True)
class MinuteDistribution:
    """The values one Wavefront histogram took in one minute.

    Attributes:
        name: The complete name.
        minute_s: Unix time of the start of the minute, seconds.
        histogram: The values.
        tags: Point tags.
    """

    name: str
    minute_s: int
    histogram: ExponentialHistogram
    tags: Tags = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What happened in [started_ns, ended_ns), Unix time in nanoseconds, in one process.

    Attributes:
        total_in_flight: Requests being served at the end, by framework.
        self_points: What the pipeline says about itself (names `wf_instrument.*`).
    """

    identity: Identity
    started_ns: int
    ended_ns: int
    requests: tuple[RequestInterval, ...] = ()
    websockets: tuple[WebSocketInterval, ...] = ()
    in_flight: tuple[InFlight, ...] = ()
    total_in_flight: tuple[tuple[str, int], ...] = ()
    running: tuple[RunningRequest, ...] = ()
    unmatched: tuple[UnmatchedPath, ...] = ()
    points: tuple[Point, ...] = ()
    distributions: tuple[MinuteDistribution, ...] = ()
    spans: tuple[SpanData, ...] = ()
    self_points: tuple[Point, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it that a backend would keep."""
        return not (self.data_count or self.in_flight)

    @property
    def data_count(self) -> int:
        """How many data it holds, of those that reporters say they took."""
        return (
            len(self.requests)
            + len(self.websockets)
            + len(self.points)
            + len(self.distributions)
            + len(self.spans)
        )


@dataclass(slots=True)
class SnapshotDraft:
    """A snapshot while producers fill it; used by the pipeline's thread alone.

    Attributes:
        is_last: Whether the process makes no further one: what would wait is to go, too.
    """

    requests: list[RequestInterval] = field(default_factory=list)
    websockets: list[WebSocketInterval] = field(default_factory=list)
    in_flight: list[InFlight] = field(default_factory=list)
    total_in_flight: dict[str, int] = field(default_factory=dict)
    running: list[RunningRequest] = field(default_factory=list)
    unmatched: list[UnmatchedPath] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    distributions: list[MinuteDistribution] = field(default_factory=list)
    spans: list[SpanData] = field(default_factory=list)
    self_points: list[Point] = field(default_factory=list)
    is_last: bool = False

    def freeze(self, identity: Identity, started_ns: int, ended_ns: int) -> Snapshot:
        """Return the finished snapshot."""
        return Snapshot(
            identity=identity,
            started_ns=started_ns,
            ended_ns=ended_ns,
            requests=tuple(self.requests),
            websockets=tuple(self.websockets),
            in_flight=tuple(self.in_flight),
            total_in_flight=tuple(self.total_in_flight.items()),
            running=tuple(self.running),
            unmatched=tuple(self.unmatched),
            points=tuple(self.points),
            distributions=tuple(self.distributions),
            spans=tuple(self.spans),
            self_points=tuple(self.self_points),
        )
