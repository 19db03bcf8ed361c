"""Programs of the older packages pass arguments by name and by place: both stay what they were."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from wf_instrument.backends.wavefront import (
    WavefrontDirectReporter,
    WavefrontProxyReporter,
    WavefrontReporter,
    WavefrontSpanReporter,
)
from wf_instrument.compat.wavefront_opentracing_sdk.propagation import JaegerWavefrontPropagator
from wf_instrument.compat.wavefront_opentracing_sdk.reporting import CompositeReporter, Reporter
from wf_instrument.compat.wavefront_opentracing_sdk.sampling import (
    CompositeSampler,
    ConstantSampler,
    DurationSampler,
    RateSampler,
    Sampler,
)
from wf_instrument.compat.wavefront_pyformance import delta, wavefront_histogram
from wf_instrument.metrics import DeltaCounter, TaggedRegistry, WavefrontHistogram
from wf_instrument.metrics.pyformance_shim import Counter, Histogram, MetricsRegistry
from wf_instrument.tracing import (
    ConsoleReporter,
    InMemoryReporter,
    PropagatorRegistry,
    WavefrontSpan,
    WavefrontSpanContext,
    WavefrontTracer,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NEEDED: Any = inspect.Parameter.empty

COMMON = [("source", "wavefront-pyformance"), ("registry", None), ("reporting_interval", 60),
          ("clock", None)]  # fmt: skip
END = [("tags", None), ("enable_runtime_metrics", False)]
KEY = [("key", NEEDED), ("tags", None)]
SIGNATURES: list[tuple[Callable[..., object], list[tuple[str, Any]]]] = [
    (WavefrontReporter, [*COMMON, ("prefix", ""), *END]),
    (WavefrontProxyReporter, [
        ("host", NEEDED), ("port", 2878), *COMMON, ("prefix", "proxy."), *END,
        ("enable_internal_metrics", True),
    ]),
    (WavefrontDirectReporter, [
        ("server", NEEDED), ("token", NEEDED), *COMMON, ("prefix", "direct."), *END,
        ("enable_internal_metrics", True),
    ]),
    (WavefrontReporter.report_now, [("registry", None), ("timestamp", None)]),
    *((getattr(TaggedRegistry, kind), KEY) for kind in ("counter", "histogram", "meter", "timer")),
    *((getattr(TaggedRegistry, f"has_{kind}"), KEY)
      for kind in ("counter", "gauge", "histogram", "meter", "timer")),
    (TaggedRegistry.encode_key, KEY),
    (delta.delta_counter, [("registry", NEEDED), ("name", NEEDED), ("tags", None)]),
    (delta.is_delta_counter, [("name", NEEDED), ("registry", NEEDED)]),
    (delta.get_delta_name, [("prefix", NEEDED), ("name", NEEDED), ("value_key", None)]),
    (wavefront_histogram.wavefront_histogram, [
        ("registry", NEEDED), ("name", NEEDED), ("tags", None),
    ]),
    (wavefront_histogram.get, [("name", NEEDED), ("registry", NEEDED)]),
    (WavefrontTracer, [
        ("reporter", None), ("application_tags", None), ("global_tags", None), ("samplers", None),
        ("report_frequency_millis", 60_000), ("red_metrics_custom_tag_keys", None),
    ]),
    (WavefrontTracer.start_span, [
        ("operation_name", None), ("child_of", None), ("references", None), ("tags", None),
        ("start_time", None), ("ignore_active_span", False),
    ]),
    (WavefrontTracer.start_active_span, [
        ("operation_name", NEEDED), ("child_of", None), ("references", None), ("tags", None),
        ("start_time", None), ("ignore_active_span", False), ("finish_on_close", True),
    ]),
    (WavefrontSpan.finish, [("finish_time", None)]),
    (WavefrontSpan.log_kv, [("key_values", NEEDED), ("timestamp", None)]),
    (WavefrontSpanContext, [
        ("trace_id", None), ("span_id", None), ("baggage", None), ("decision", None),
    ]),
    (PropagatorRegistry.register, [("format", NEEDED), ("propagator", NEEDED)]),
    (JaegerWavefrontPropagator, [("trace_id_header", "trace-id"), ("baggage_prefix", "baggage-")]),
    (RateSampler, [("sampling_rate", NEEDED)]),
    (ConstantSampler, [("decision", NEEDED)]),
    (DurationSampler, [("duration", NEEDED)]),
    (CompositeSampler, [("samplers", NEEDED)]),
    (ConstantSampler.set_decision, [("decision", NEEDED)]),
    (RateSampler.set_sampling_rate, [("sampling_rate", NEEDED)]),
    (DurationSampler.set_duration, [("duration", NEEDED)]),
    (Sampler.sample, [("operation_name", NEEDED), ("trace_id", NEEDED), ("duration", NEEDED)]),
    (WavefrontSpanReporter, [
        ("client", NEEDED), ("source", None), ("max_queue_size", 50_000), ("log_percent", 0.1),
    ]),
    (ConsoleReporter, [("source", "wavefront-tracing-example"), ("stream", None)]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("function", "expected"), SIGNATURES, ids=[one.__qualname__ for one, _ in SIGNATURES]
)
def test_parameters_have_their_names_places_and_defaults(
    function: Callable[..., object], expected: list[tuple[str, Any]]
) -> None:
    parameters = inspect.signature(function).parameters.values()
    found = [
        (one.name, one.default)
        for one in parameters
        if one.name != "self" and one.kind is one.POSITIONAL_OR_KEYWORD
    ]
    assert found == expected


def test_a_gauge_takes_its_tags_by_name_or_in_the_second_place() -> None:
    registry = TaggedRegistry()
    gauge = registry.gauge("g", tags={"a": "b"})
    assert registry.gauge("g", {"a": "b"}) is gauge
    assert registry.has_gauge("g", {"a": "b"})
    assert not registry.has_gauge("g")


@pytest.mark.parametrize("kind", ["counter", "gauge", "histogram", "meter", "timer"])
def test_a_metric_of_each_kind_is_told_apart_by_its_tags(kind: str) -> None:
    registry = TaggedRegistry()
    make, has = getattr(registry, kind), getattr(registry, f"has_{kind}")
    made = make("m", tags={"a": "1"})
    assert make("m", tags={"a": "1"}) is made
    assert make("m", tags={"a": "2"}) is not made
    assert (has("m", {"a": "1"}), has("m", {"a": "3"}), has("m")) == (True, False, False)


def test_what_stands_in_for_pyformance_is_pyformances() -> None:
    assert issubclass(TaggedRegistry, MetricsRegistry)
    assert issubclass(DeltaCounter, Counter)
    assert issubclass(WavefrontHistogram, Histogram)


def test_a_reporter_and_a_sampler_of_ones_own_need_only_what_they_are_for() -> None:
    class Mine(Reporter):  # type: ignore[misc]  # a protocol, subclassed as programs do
        def __init__(self) -> None:
            self.names: list[str] = []

        def report(self, span: WavefrontSpan) -> None:
            self.names.append(span.operation_name)

    class Named(Sampler):  # type: ignore[misc]  # as above
        def sample(self, operation_name: str, trace_id: int, duration: float) -> bool:
            return operation_name == "kept"

        def is_early(self) -> bool:
            return True

    mine = Mine()
    both = CompositeReporter(mine, InMemoryReporter())
    tracer = WavefrontTracer(both, samplers=[Named()])
    for name in ("kept", "dropped"):
        tracer.start_span(name).finish()
    tracer.close()
    assert mine.names == ["kept"]
    assert both.get_failure_count() == 0
