"""The tracer: starts spans, decides on sampling, hands finished spans to its reporter."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import opentracing

from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import caught
from wf_instrument.speed import SpanState, TracerState, link
from wf_instrument.speed.copyable import Copyable
from wf_instrument.tracing import ids
from wf_instrument.tracing.active import ACTIVE
from wf_instrument.tracing.ids import new_span_id, new_trace_id
from wf_instrument.tracing.propagation.registry import PropagatorRegistry
from wf_instrument.tracing.scope import ContextScopeManager
from wf_instrument.tracing.span import WavefrontSpan, to_ns
from wf_instrument.tracing.span_buffer import SpanBuffer
from wf_instrument.tracing.span_context import WavefrontSpanContext
from wf_instrument.tracing.tag_values import plain_tags
from wf_instrument.value_text import as_str, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wf_instrument.identity import ApplicationTags
    from wf_instrument.tracing.red_metrics import RedMetrics
    from wf_instrument.tracing.samplers import Sampler
    from wf_instrument.tracing.span import TagSource

__all__ = ["SpanReporter", "WavefrontTracer"]


#: The bits of a trace id.
_TRACE_ID: Final = (1 << 128) - 1

_new_span = SpanState.__new__


class SpanReporter(Protocol):
    """Takes finished spans; never blocks, never raises."""

    def report(self, span: WavefrontSpan) -> None:
        """Take a finished, sampled span."""

    def get_failure_count(self) -> int:
        """Return how many spans could not be delivered."""

    def close(self) -> None:
        """Deliver what is left and release everything."""


class WavefrontTracer(Copyable, TracerState, opentracing.Tracer):  # type: ignore[misc]  # untyped
    """An OpenTracing tracer whose spans are cheap enough for every request.

    With application tags and a reporter that sends them (`WavefrontSpanReporter`), RED metrics are
    derived from every finished span, sampled or not.

    Args:
        reporter: Where finished spans go; None drops them.
        application_tags: Tags of every span.
        global_tags: Further tags of every span, as pairs or as a mapping.
        samplers: Early ones decide when a trace begins here, late ones when a span ends; any that
            says yes keeps the span. None keeps everything.
        report_frequency_millis: Between two reports of RED metrics.
        red_metrics_custom_tag_keys: Further tags that tell series of RED metrics apart.
        propagators: How contexts travel; by default W3C, Wavefront, Jaeger and B3 headers are
            read, W3C and Wavefront headers written.

    Attributes:
        discarded: How many spans of this process ended unsampled.
    """

    _fields = ("take", "red_metrics", "keeps_all")
    _remade = ("_discards",)

    def __init__(
        self,
        reporter: SpanReporter | None = None,
        application_tags: ApplicationTags | None = None,
        global_tags: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        samplers: Iterable[Sampler] | None = None,
        report_frequency_millis: int = 60_000,
        red_metrics_custom_tag_keys: Iterable[str] | None = None,
        *,
        propagators: PropagatorRegistry | None = None,
    ) -> None:
        super().__init__(ContextScopeManager())
        self.reporter = reporter
        self._application_tags = application_tags
        self.registry = PropagatorRegistry() if propagators is None else propagators
        pairs = global_tags.items() if isinstance(global_tags, Mapping) else global_tags
        known = [] if application_tags is None else application_tags.get_as_list()
        own = [(as_str(key), value) for key, value in pairs or ()]
        self.base_tags: tuple[tuple[str, object], ...] = (*known, *own)
        # As text once, for the many spans that carry them; None when a key stands twice.
        self.base_text = plain_tags(self.base_tags)
        base = self.base_text or {}
        last = () if "component" in base else (("component", "none"),)
        self.base_pairs: tuple[tuple[str, str], ...] = (*base.items(), *last)
        kept = list(samplers or ())
        self._early = [sampler for sampler in kept if sampler.is_early()]
        self._late = [sampler for sampler in kept if not sampler.is_early()]
        #: Whether no sampler has to be asked.
        self.keeps_all = not kept
        self.report_frequency_millis = report_frequency_millis
        self.red_metrics_custom_tag_keys = frozenset(red_metrics_custom_tag_keys or ())
        # Nothing to ask on the way into a buffer of our own, which every request's span goes.
        is_direct = type(reporter) is SpanBuffer and not self._late
        self.take: Callable[[WavefrontSpan], None] = (
            cast("SpanBuffer", reporter).report if is_direct else self.report_span
        )
        self.red_metrics: RedMetrics | None = None
        self._reset()
        reset_after_fork(self._reset)
        report_discarded = getattr(reporter, "report_discarded", None)
        if report_discarded is not None:
            report_discarded(self)
        start = getattr(reporter, "start_red_metrics", None)
        if start is not None and application_tags is not None:
            red_metrics = self._new_red_metrics()
            if start(red_metrics, application_tags, report_frequency_millis / 1e3):
                self.red_metrics = red_metrics

    def derive_red_metrics(self) -> RedMetrics:
        """Derive RED metrics from now on; returns what adds them up.

        Those of a reporter that sends its own stay where they are.
        """
        if self.red_metrics is None:
            self.red_metrics = self._new_red_metrics()
        return self.red_metrics

    def _new_red_metrics(self) -> RedMetrics:
        # Imported here: few tracers derive any.
        from wf_instrument.tracing.red_metrics import RedMetrics

        keys = sorted(self.red_metrics_custom_tag_keys)
        return RedMetrics(self._application_tags, keys, self.base_tags)

    def _reset(self) -> None:
        self._discards = itertools.count(1)
        self.discarded = 0

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what another one had, and count on from its number."""
        super().__setstate__(state)
        self._discards = itertools.count(self.discarded + 1)

    def count_discarded(self) -> None:
        """Count a span that has ended and is not sampled; called by the span."""
        # `next` of a counter is atomic, where `+=` by several threads loses increments.
        self.discarded = next(self._discards)

    @property
    def is_sampling(self) -> bool:
        """Whether it may drop spans."""
        return bool(self._early or self._late)

    @property
    def active_span(self) -> WavefrontSpan | None:
        """The current span."""
        return ACTIVE.get()

    def start_root(
        self, operation_name: str, start_ns: int, tag_source: TagSource
    ) -> WavefrontSpan:
        """Start the span of a request that nobody traces yet; see `start_request_span`."""
        # As `WavefrontSpan` does it, without the call, which is made for every request.
        span: WavefrontSpan = _new_span(WavefrontSpan)
        span._tracer = self  # noqa: SLF001 - the tracer makes the span
        span.operation_name = operation_name
        drawn = ids.bits(192)  # at once
        span.trace_id_int = trace_id = drawn & _TRACE_ID or 1
        span.span_id_int = drawn >> 128 or 1
        span.start_ns = start_ns
        span.tag_source = tag_source
        span.decision = True if self.keeps_all else self._early_decision(operation_name, trace_id)
        return span

    def start_request_span(
        self,
        operation_name: str,
        parent: WavefrontSpanContext | None,
        start_ns: int,
        tag_source: TagSource | None,
    ) -> WavefrontSpan:
        """Start the span of a request, without making it current; the fast way.

        Args:
            operation_name: The name; may be changed until the end.
            parent: What the caller sent, None for a new trace.
            start_ns: Unix time, nanoseconds.
            tag_source: Asked for tags when the span leaves.
        """
        if parent is None or not parent.has_trace:
            trace_id = new_trace_id()
            decision = self._early_decision(operation_name, trace_id)
            span = WavefrontSpan(self, operation_name, trace_id, new_span_id(), start_ns, decision)
            if parent is not None:
                span._baggage = parent.baggage or None  # noqa: SLF001 - the tracer makes the span
        else:
            trace_id = parent.trace_id_int
            decision = parent.get_sampling_decision()
            if decision is None:
                decision = self._early_decision(operation_name, trace_id)
            span = WavefrontSpan(self, operation_name, trace_id, new_span_id(), start_ns, decision)
            span.parents = ((trace_id, parent.span_id_int),)
            span._baggage = parent.baggage or None  # noqa: SLF001 - the tracer makes the span
            if parent.tracestate:
                span._tracestate = parent.tracestate  # noqa: SLF001 - as above
        if tag_source is not None:
            span.tag_source = tag_source
        return span

    def start_span(
        self,
        operation_name: str | None = None,
        child_of: opentracing.Span | opentracing.SpanContext | None = None,
        references: Iterable[opentracing.Reference] | None = None,
        tags: Mapping[str, object] | Iterable[tuple[str, object]] | None = None,
        start_time: float | None = None,
        ignore_active_span: bool = False,
    ) -> WavefrontSpan:
        """Start a span; see OpenTracing. `start_time` is Unix time in seconds."""
        if type(operation_name) is not str:
            operation_name = text_of(operation_name)
        if references is None and start_time is None:
            # The common case: a child of a span of ours, or of none.
            parent = child_of
            if parent is None and not ignore_active_span:
                parent = ACTIVE.get()
            if parent is None or type(parent) is WavefrontSpan:
                span = self._start_child(operation_name, parent)
                if tags:
                    span.set_tags(tags)
                return span
        parents, follows = _references(child_of, references)
        if not parents and not follows and not ignore_active_span:
            active = ACTIVE.get()
            if active is not None:
                parents = [active.context]
        every = [context for context in (*parents, *follows) if context.has_trace]
        lead = every[0] if every else None
        now_ns = time.time_ns()
        start_ns = now_ns if start_time is None else to_ns(start_time)
        span = self.start_request_span(operation_name, lead, start_ns, None)
        span.parents = tuple((c.trace_id_int, c.span_id_int) for c in parents if c.has_trace)
        span.follows = tuple((c.trace_id_int, c.span_id_int) for c in follows if c.has_trace)
        baggage: dict[str, str] = {}
        for context in (*parents, *follows):
            baggage.update(context.baggage)
        span._baggage = baggage or None  # noqa: SLF001 - the tracer makes the span
        # Also with a given start: from here on the wall clock may be set, this one not.
        span._started_mono_ns = time.perf_counter_ns() - (now_ns - start_ns)  # noqa: SLF001
        if tags:
            span.set_tags(tags)
        return span

    def _start_child(self, operation_name: str, parent: WavefrontSpan | None) -> WavefrontSpan:
        """Start a span now, without a context in between; see `start_request_span`."""
        if parent is None:
            trace_id = new_trace_id()
            decision = self._early_decision(operation_name, trace_id)
            span = WavefrontSpan(
                self, operation_name, trace_id, new_span_id(), time.time_ns(), decision
            )
        else:
            trace_id = parent.trace_id_int
            decision = parent.decision
            if decision is None:
                decision = self._early_decision(operation_name, trace_id)
            span = WavefrontSpan(
                self, operation_name, trace_id, new_span_id(), time.time_ns(), decision
            )
            reference = ((trace_id, parent.span_id_int),)
            request = parent.tag_source or parent.request
            if request is not None:
                span.request = request
            if parent.is_finished and parent.tag_source is not None:
                # A background task outlives the request, whose span is closed.
                span.follows = reference
            else:
                span.parents = reference
            if parent._baggage:  # noqa: SLF001 - the tracer makes the span
                span._baggage = dict(parent._baggage)  # noqa: SLF001 - as above
            if parent._tracestate:  # noqa: SLF001 - as above
                span._tracestate = parent._tracestate  # noqa: SLF001 - as above
        span._started_mono_ns = time.perf_counter_ns()  # noqa: SLF001 - as above
        return span

    def start_active_span(
        self,
        operation_name: str,
        child_of: opentracing.Span | opentracing.SpanContext | None = None,
        references: Iterable[opentracing.Reference] | None = None,
        tags: Mapping[str, object] | Iterable[tuple[str, object]] | None = None,
        start_time: float | None = None,
        ignore_active_span: bool = False,
        finish_on_close: bool = True,
    ) -> opentracing.Scope:
        """Start a span and make it current until the returned scope is closed."""
        span = self.start_span(
            operation_name, child_of, references, tags, start_time, ignore_active_span
        )
        return self.scope_manager.activate(span, finish_on_close)

    def inject(
        self,
        span_context: opentracing.SpanContext | opentracing.Span,
        format: str,  # noqa: A002 - OpenTracing's name
        carrier: object,
    ) -> None:
        """Write a context into a carrier.

        Raises:
            opentracing.UnsupportedFormatException: No propagator of that format is registered.
            opentracing.InvalidCarrierException: The carrier cannot be written to, or the context
                is of another tracer.
        """
        context = getattr(span_context, "context", span_context)
        if not isinstance(context, WavefrontSpanContext):
            raise opentracing.InvalidCarrierException(
                f"cannot inject {type(context).__name__}; give a span or context of this tracer"
            )
        self.registry.inject(context, format, carrier)

    def extract(self, format: str, carrier: object) -> WavefrontSpanContext | None:  # noqa: A002 - OpenTracing's name
        """Read a context out of a carrier, None when there is none.

        Raises:
            opentracing.UnsupportedFormatException: No propagator of that format is registered.
        """
        return self.registry.extract(format, carrier)

    def extract_headers(self, pairs: object) -> WavefrontSpanContext | None:
        """Read the caller's context out of HTTP headers; None when there is none.

        Never raises.

        Args:
            pairs: A mapping, or pairs of names and values, as text or bytes.
        """
        try:
            return self.registry.extract(opentracing.Format.HTTP_HEADERS, pairs)
        except Exception as error:  # noqa: BLE001 - samplers may be the user's
            caught("tracing.extract", error)
            return None

    def report_span(self, span: WavefrontSpan) -> None:
        """Take a span that has ended; called by the span."""
        if self._late and span.decision is None and not self._late_decision(span):
            self.count_discarded()
            return
        reporter = self.reporter
        if reporter is not None:
            try:
                reporter.report(span)
            except Exception as error:  # noqa: BLE001 - samplers may be the user's
                caught("tracing.reporter", error)

    def close(self) -> None:
        """Close the reporter."""
        if self.reporter is not None:
            try:
                self.reporter.close()
            except Exception as error:  # noqa: BLE001 - samplers may be the user's
                caught("tracing.reporter", error)

    def _early_decision(self, operation_name: str, trace_id: int) -> bool | None:
        if not self._early:
            # Without any sampler everything is kept, and callees may know.
            return None if self._late else True
        try:
            for sampler in self._early:
                if sampler.sample(operation_name, trace_id, 0):
                    return True
        except Exception as error:  # noqa: BLE001 - samplers may be the user's
            caught("tracing.sampler", error)
            return True
        # With late samplers there is still a chance.
        return None if self._late else False

    def _late_decision(self, span: WavefrontSpan) -> bool:
        try:
            duration_ms = span.duration_ns / 1e6
            return (
                any(
                    sampler.sample(span.operation_name, span.trace_id_int, duration_ms)
                    for sampler in self._late
                )
                or span.is_error()
            )
        except Exception as error:  # noqa: BLE001 - samplers may be the user's
            caught("tracing.sampler", error)
            return True


link(
    active=ACTIVE,
    caught=caught,
    ids=vars(ids),
    span_class=WavefrontSpan,
    tracer_class=WavefrontTracer,
)


def _references(
    child_of: opentracing.Span | opentracing.SpanContext | None,
    references: Iterable[opentracing.Reference] | None,
) -> tuple[list[WavefrontSpanContext], list[WavefrontSpanContext]]:
    parents: list[WavefrontSpanContext] = []
    follows: list[WavefrontSpanContext] = []
    given: list[opentracing.Reference]
    # A reference is itself a tuple; one alone stands for a list of it.
    given = [references] if isinstance(references, opentracing.Reference) else [*(references or ())]
    if child_of is not None:
        given.insert(0, opentracing.child_of(child_of))
    for reference in given:
        context = getattr(reference.referenced_context, "context", reference.referenced_context)
        if not isinstance(context, WavefrontSpanContext):
            continue
        if reference.type == opentracing.ReferenceType.FOLLOWS_FROM:
            follows.append(context)
        else:
            parents.append(context)
    return parents, follows
