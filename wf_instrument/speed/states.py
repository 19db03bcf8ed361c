"""What hot objects keep between two calls, in Python: what runs where nothing is compiled.

The compiled twins of these classes have the same attributes as fields of C. Their defaults stand
here once, so a request pays only for what it sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wf_instrument.reporting.pipeline import Pipeline
    from wf_instrument.reporting.snapshot import Outcome
    from wf_instrument.tracing.red_metrics import RedMetrics
    from wf_instrument.tracing.span import TagSource, WavefrontSpan
    from wf_instrument.tracing.span_data import SpanLog, SpanReference
    from wf_instrument.tracing.tracer import WavefrontTracer
    from wf_instrument.web.extras import RequestExtras
    from wf_instrument.web.recorder import LiveRequest, Recorder
    from wf_instrument.web.series import Cell, RouteHandle, Sample

__all__ = [
    "BufferState",
    "CellState",
    "DriverState",
    "HandleState",
    "RecordState",
    "RecorderState",
    "Samples",
    "SpanState",
    "TracerState",
]

#: Stands for a figure that could not be had, as in `wf_instrument.web.series`.
_ABSENT = -1


class RecordState:
    """One request; see `wf_instrument.web.request.RequestRecord`, `WsgiRequest`, `AsgiRequest`."""

    handle: RouteHandle | None = None
    span: WavefrontSpan | None = None
    outcome: Outcome | None = None
    error: BaseException | None = None
    cell: Cell | None = None
    url_parts: tuple[str, str, str, str] | None = None
    dimensions: dict[str, str] | None = None
    thread_cpu_ns: list[int] | None = None
    thread_marks: dict[int, int] | None = None
    request_header_tags: tuple[tuple[str, str], ...] = ()
    response_header_tags: tuple[tuple[str, str], ...] = ()
    status: int = 0
    first_byte_ns: int = 0
    response_bytes: int = 0
    request_bytes: int = 0
    extra_cpu_ns: int = 0
    queued_ns: int = _ABSENT
    is_finished: bool = False
    is_left_out: bool = False
    is_bridged: bool = False
    known_target: str | None = None

    recorder: Recorder
    method: str
    started_ns: int
    started_mono_ns: int
    started_cpu_ns: int
    thread_id: int
    ended_mono_ns: int

    # Of WSGI.
    environ: dict[str, Any] | None = None
    headers: list[tuple[str, str]] | None = None
    driver: Any
    server_start: Callable[..., Callable[[bytes], object]]
    _server_write: Callable[[bytes], object]
    _body: Any = None

    # Of ASGI.
    scope: Any = None
    mounts: tuple[object, ...] = ()
    served: Any = None
    is_stepping: bool = False
    longest_step_ns: int = 0
    cpu_ns: int = 0
    step_ns: int = 0
    step_cpu_ns: int = 0
    _receive: Any
    _send: Any
    _path: str
    _root: str
    _asked_headers: Any
    _query: str | None = None
    _scheme: str
    _has_left: bool = False
    _response_headers: Any = ()

    def settle(self, name: str, value: Any) -> Any:
        """Return an attribute that is not None, made `value` first where it is.

        Of two threads, both get what was first.
        """
        return vars(self).setdefault(name, value)


class SpanState:
    """One span; see `wf_instrument.tracing.span.WavefrontSpan`."""

    _tracer: WavefrontTracer
    operation_name: str
    trace_id_int: int
    span_id_int: int
    start_ns: int
    decision: bool | None

    parents: tuple[SpanReference, ...] = ()
    follows: tuple[SpanReference, ...] = ()
    tag_source: TagSource | None = None
    request: TagSource | None = None
    is_finished: bool = False
    is_forced: bool = False
    duration_ns: int = 0
    _tags: list[tuple[str, object]] | None = None
    _logs: list[SpanLog] | None = None
    _baggage: Mapping[str, str] | None = None
    _tracestate: str = ""
    _started_mono_ns: int = 0


class RecorderState:
    """What each request asks of the recorder; see `wf_instrument.web.recorder.Recorder`."""

    pipeline: Pipeline
    tracer: WavefrontTracer | None
    extras: RequestExtras | None
    excluded: Any
    live: set[LiveRequest]
    noted_keys: tuple[str, ...]
    noted_headers: frozenset[bytes]
    cpu_clock: Callable[[], int] | None
    fold_after: int
    loop_block_ns: int
    metrics: bool
    keeps_query: bool
    is_reporting: bool = False
    _handles: dict[object, RouteHandle]


class TracerState:
    """What each span asks of its tracer; see `wf_instrument.tracing.tracer.WavefrontTracer`."""

    take: Callable[[WavefrontSpan], None]
    red_metrics: RedMetrics | None
    keeps_all: bool


class BufferState:
    """Where spans wait; see `wf_instrument.tracing.span_buffer.SpanBuffer`."""

    _spans: list[WavefrontSpan]
    _max_spans: int


class HandleState:
    """What each request asks of its route; see `wf_instrument.web.series.RouteHandle`."""

    __slots__ = ("cells", "counts", "decides_late", "func", "quiet_paths", "route")

    cells: dict[object, Cell]
    route: str | None
    func: str | None
    quiet_paths: frozenset[str] | None
    counts: bool
    decides_late: bool


class CellState:
    """Where each request appends; see `wf_instrument.web.series.Cell`."""

    __slots__ = ("exemplars", "handle", "is_listed", "queued_ns", "samples")

    handle: RouteHandle
    samples: Samples
    queued_ns: list[int]
    exemplars: dict[int, WavefrontSpan]
    is_listed: bool


class Samples(list["Sample"]):
    """The figures of ended requests; appended to by any thread, taken by the pipeline's."""

    def take(self) -> tuple[Sequence[int], ...]:
        """Take all: five columns, one a figure."""
        # Never swap the list: a thread that fetched it before would append to the old one.
        n = len(self)
        part = self[:n]
        del self[:n]
        return tuple(zip(*part, strict=True)) if part else ((),) * 5


class DriverState:
    """What stands around an application; see `WsgiTelemetry` and `AsgiTelemetry`."""

    app: Any
    recorder: Recorder
    route_of: Callable[[Any], object | None]
    tracer: WavefrontTracer | None
    is_on: bool = True
    traces_all: bool = True
