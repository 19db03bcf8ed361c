"""One timed operation. Made and finished on the request path: what can wait, waits."""

from __future__ import annotations

import time
import traceback
import uuid
from typing import TYPE_CHECKING, Final, Protocol

import opentracing

from wf_instrument.guard import caught
from wf_instrument.speed import SpanState, shorten
from wf_instrument.tracing.span_context import WavefrontSpanContext
from wf_instrument.tracing.span_data import SpanData, SpanLog
from wf_instrument.tracing.tag_values import (
    is_blank,
    is_positive,
    is_true,
    plain_tags,
)
from wf_instrument.value_text import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from wf_instrument.tracing.tracer import WavefrontTracer

__all__ = ["SINGLE_VALUED", "TagSource", "WavefrontSpan", "to_ns"]

#: Tags of which the last value given wins; any other may stand several times.
#: Source: Wavefront OpenTracing SDK, single-valued tag keys.
SINGLE_VALUED: Final = frozenset(
    {
        "application",
        "service",
        "cluster",
        "shard",
        "component",
        "span.kind",
        "error",
        "http.status_code",
        "http.method",
        "http.url",
        "sampling.priority",
        "debug",
    }
)
_MAX_STACK: Final = 8000
_MAX_TAGS: Final = 1000
_MAX_LOGS: Final = 1000
#: Of what backends keep times in: 64 bits, with a sign.
_MAX_NS: Final = 1 << 63


class TagSource(Protocol):
    """Knows tags of a span, and is asked for them only when the span leaves."""

    def span_tags(self) -> Iterable[tuple[str, object]]:
        """Return the tags."""


class WavefrontSpan(SpanState, opentracing.Span):  # type: ignore[misc]  # opentracing ships no types
    """A span of `WavefrontTracer`; made by its `start_span`.

    Attributes:
        is_forced: Whether the application itself said if it is to be kept.
    """

    def __init__(
        self,
        tracer: WavefrontTracer,
        operation_name: str,
        trace_id: int,
        span_id: int,
        start_ns: int,
        decision: bool | None,
    ) -> None:
        # Not calling opentracing's __init__: it stores a context we have not made yet.
        self._tracer = tracer
        self.operation_name = operation_name
        self.trace_id_int = trace_id
        self.span_id_int = span_id
        self.start_ns = start_ns
        self.decision = decision

    @property
    def tracer(self) -> WavefrontTracer:
        """The tracer that made it."""
        return self._tracer

    @property
    def context(self) -> WavefrontSpanContext:
        """What children need to know of it."""
        return WavefrontSpanContext(
            self.trace_id_int,
            self.span_id_int,
            self._baggage,
            self.decision,
            tracestate=self._tracestate,
        )

    @property
    def served_request(self) -> TagSource | None:
        """The request during which it was started, which knows the tags of its server span."""
        return self.tag_source or self.request

    @property
    def is_sampled(self) -> bool:
        """Whether it is kept as far as known; late samplers may still decide against it."""
        return self.decision is not False

    @property
    def trace_id(self) -> uuid.UUID:
        """The trace's id."""
        return uuid.UUID(int=self.trace_id_int)

    @property
    def span_id(self) -> uuid.UUID:
        """The span's id."""
        return uuid.UUID(int=self.span_id_int)

    @property
    def start_time(self) -> float:
        """Unix time of the start, seconds."""
        return self.start_ns / 1e9

    def set_operation_name(self, operation_name: str) -> Self:
        """Rename the span."""
        if type(operation_name) is not str:
            operation_name = text_of(operation_name)
        self.operation_name = operation_name
        return self

    def set_tag(self, key: str, value: object) -> Self:
        """Add a tag; of a single-valued key the last value wins. None and blank are ignored."""
        if is_blank(value) or is_blank(key):
            return self
        if type(key) is not str:
            key = text_of(key)
        tags = self._tags
        if tags is None:
            tags = self._tags = []
        if len(tags) < _MAX_TAGS:
            tags.append((key, value))
        if key == "sampling.priority":
            self.decision = is_positive(value)
            self.is_forced = True
        elif key in {"debug", "error"} and is_true(value):
            self.decision = self.is_forced = True
        return self

    def set_tags(self, tags: Mapping[str, object] | Iterable[tuple[str, object]]) -> Self:
        """Add several tags, as a mapping or as pairs; see `set_tag`."""
        pairs = tags.items() if hasattr(tags, "items") else tags
        for key, value in pairs:
            self.set_tag(key, value)
        return self

    def log_kv(self, key_values: Mapping[str, object], timestamp: float | None = None) -> Self:
        """Note something that happened.

        Args:
            key_values: The fields.
            timestamp: Unix time in seconds; now when None.
        """
        moment_ns = to_ns(timestamp)
        try:
            pairs = list(key_values.items())[:_MAX_TAGS]
        except Exception as error:  # noqa: BLE001 - the span is worth more than its tags
            caught("tracing.log_kv", error)
            return self
        fields = tuple((text_of(key), text_of(value, _MAX_STACK)) for key, value in pairs)
        logs = self._logs
        if logs is None:
            logs = self._logs = []
        if len(logs) < _MAX_LOGS:
            logs.append(SpanLog(moment_ns // 1000, fields))
        return self

    def set_baggage_item(self, key: str, value: str) -> Self:
        """Hand an item to all descendants started from now on; what is no text becomes one."""
        if type(key) is not str or type(value) is not str:
            key, value = text_of(key), text_of(value)
        self._baggage = {**(self._baggage or {}), key: value}
        return self

    def get_baggage_item(self, key: str) -> str | None:
        """Return a baggage item, None when there is none."""
        return None if self._baggage is None else self._baggage.get(key)

    def finish(self, finish_time: float | None = None) -> None:
        """End the span, once, at Unix time `finish_time` in seconds or now."""
        if self.is_finished:
            return
        if finish_time is not None:
            duration_ns = to_ns(finish_time) - self.start_ns
        elif self._started_mono_ns:
            duration_ns = time.perf_counter_ns() - self._started_mono_ns
        else:
            duration_ns = time.time_ns() - self.start_ns
        self.finish_after(max(duration_ns, 0))

    def finish_after(self, duration_ns: int) -> None:
        """End the span with a duration that the caller measured."""
        # No call stands between test and set, so no other thread gets in between either.
        if self.is_finished:
            return
        self.is_finished = True
        self.duration_ns = duration_ns
        tracer = self._tracer
        if tracer.red_metrics is not None:
            tracer.red_metrics.record(self)
        if self.decision is not False:
            tracer.take(self)
        else:
            tracer.count_discarded()

    def own_tags(self) -> list[tuple[str, object]]:
        """Return tags as they were given: the integration's, then the application's."""
        if self.tag_source is None:
            return self._tags or []
        own: list[tuple[str, object]] = []
        try:
            own += self.tag_source.span_tags()
        except Exception as error:  # noqa: BLE001 - the span is worth more than its tags
            caught("tracing.tag_source", error)
        own += self._tags or ()
        return own

    def get_tags_as_list(self) -> list[tuple[str, object]]:
        """Return all tags: the tracer's, then what the integration knows, then the span's own."""
        own: list[tuple[str, object]] = [*self._tracer.base_tags, *self.own_tags()]
        own = [(key, value) for key, value in own if not is_blank(value)]
        last = {key: value for key, value in own if key in SINGLE_VALUED}
        tags: dict[tuple[str, str], tuple[str, object]] = {}
        for key, value in own:
            kept = last.get(key, value)
            tags.setdefault((key, text_of(kept)), (key, kept))
        if "component" not in last:
            tags["component", "none"] = ("component", "none")
        return list(tags.values())

    def get_tags_as_map(self) -> dict[str, list[object]]:
        """Return all values by key."""
        values: dict[str, list[object]] = {}
        for key, value in self.get_tags_as_list():
            values.setdefault(key, []).append(value)
        return values

    def get_parents(self) -> list[uuid.UUID]:
        """Return the ids of the spans it is a child of."""
        return [uuid.UUID(int=span_id) for _, span_id in self.parents]

    def get_follows(self) -> list[uuid.UUID]:
        """Return the ids of the spans it follows from."""
        return [uuid.UUID(int=span_id) for _, span_id in self.follows]

    def is_error(self) -> bool:
        """Return whether it is tagged as failed."""
        return any(key == "error" and is_true(value) for key, value in self.get_tags_as_list())

    def to_span_data(self) -> SpanData:
        """Return the finished span as plain data."""
        tags = self._plain_tags()
        if tags is None:
            tags = tuple(
                (text_of(k), text) for k, v in self.get_tags_as_list() if (text := text_of(v))
            )
        return SpanData(
            name=text_of(self.operation_name),
            trace_id=self.trace_id_int,
            span_id=self.span_id_int,
            start_ns=self.start_ns,
            duration_ns=self.duration_ns,
            tags=tags,
            parents=self.parents,
            follows_from=self.follows,
            logs=tuple(self._logs or ()),
            is_error=any(key == "error" and is_true(value) for key, value in tags),
        )

    def _plain_tags(self) -> tuple[tuple[str, str], ...] | None:
        """Return the tags when none of them stands twice, the common case.

        None when one does, which `get_tags_as_list` knows how to settle.
        """
        base = self._tracer.base_text
        if base is None:
            return None
        if self._tags is None and self.tag_source is None:
            return self._tracer.base_pairs
        own = plain_tags(self.own_tags())
        if own is None or not own.keys().isdisjoint(base):
            return None
        if "component" in own or "component" in base:
            return (*base.items(), *own.items())
        return (*base.items(), *own.items(), ("component", "none"))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if error is not None:
            self.set_error(error)
        self.finish()

    def set_error(self, error: BaseException) -> None:
        """Tag the span as failed and log the exception."""
        self.set_tag("error", "true")
        try:
            stack = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        except Exception as failure:  # noqa: BLE001 - must not take the place of the application's
            caught("tracing.set_error", failure)
            stack = ""
        self.log_kv(
            {
                "event": "error",
                "error.kind": type(error).__name__,
                "message": text_of(error, _MAX_STACK),
                "stack": stack[-_MAX_STACK:],
            }
        )


shorten(WavefrontSpan, finish_after="span_finish_after")


def to_ns(timestamp_s: float | None) -> int:
    """Return Unix time in nanoseconds; what cannot be a time counts as now."""
    if timestamp_s is not None:
        try:
            # A double of today's time holds no more than a quarter of a microsecond.
            moment_ns = round(timestamp_s * 1e6) * 1000
            if not 0 <= moment_ns < _MAX_NS:
                raise ValueError(f"{timestamp_s!r} is no Unix time in seconds")
            return moment_ns
        except (TypeError, ValueError, OverflowError) as error:
            caught("tracing.timestamp", error)
    return time.time_ns()
