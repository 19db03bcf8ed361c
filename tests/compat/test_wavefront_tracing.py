"""Programs of the Wavefront pyformance and OpenTracing SDKs, with their imports as they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from compat.legacy_program import INSTALL, run
from loopback import LoopbackReceiver
from wf_instrument.compat.wavefront_opentracing_sdk.propagation import JaegerWavefrontPropagator
from wf_instrument.compat.wavefront_opentracing_sdk.tracer import (
    get_least_significant_bits,
    get_most_significant_bits,
)
from wf_instrument.tracing import WavefrontSpanContext

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = """
import opentracing
import pyformance
from pyformance import counter
from wavefront_opentracing_sdk import WavefrontTracer
from wavefront_opentracing_sdk.propagation import JaegerWavefrontPropagator
from wavefront_opentracing_sdk.reporting import CompositeReporter, WavefrontSpanReporter
from wavefront_opentracing_sdk.sampling import ConstantSampler, DurationSampler
from wavefront_pyformance import delta
from wavefront_pyformance.tagged_registry import TaggedRegistry
from wavefront_pyformance.wavefront_histogram import wavefront_histogram
from wavefront_pyformance.wavefront_reporter import WavefrontProxyReporter
from wavefront_sdk.common import ApplicationTags

registry = TaggedRegistry()
reporter = WavefrontProxyReporter(
    host="127.0.0.1", port=PORT, registry=registry, source="h", tags={"key1": "val1"},
    prefix="python.proxy.").report_minute_distribution()
registry.counter("cnt", tags={"counter_key": "v"}).inc(5)
delta.delta_counter(registry, "d", tags={"k": "v"}).inc(2)
wavefront_histogram(registry, "hist", tags={"k": "v"}).add(1.0)
counter("global").inc()

tags = ApplicationTags(application="app", service="svc")
spans = WavefrontSpanReporter(reporter.wavefront_client, source="h")
tracer = WavefrontTracer(
    reporter=CompositeReporter(spans), application_tags=tags, samplers=[ConstantSampler(True)])
tracer.registry.register(opentracing.Format.TEXT_MAP, JaegerWavefrontPropagator())
opentracing.set_global_tracer(tracer)
with opentracing.global_tracer().start_active_span("op") as scope:
    carrier = {}
    tracer.inject(scope.span.context, opentracing.Format.TEXT_MAP, carrier)
    assert set(carrier) == {"trace-id"}, carrier
tracer.close()
reporter.stop()
"""


@pytest.fixture
def receiver() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


@pytest.mark.slow
def test_a_program_of_both_runs_without_an_edit(receiver: LoopbackReceiver) -> None:
    run(INSTALL + PROGRAM.replace("PORT", str(receiver.port)))
    points = "".join(receiver.lines("f=wavefront"))
    assert '"python.proxy.cnt.count" 5.0' in points
    assert '"key1"="val1" "counter_key"="v"' in points
    assert '"∆python.proxy.d.count" 2.0 source="h" "key1"="val1" "k"="v"' in points
    assert '"∆tracing.derived.app.svc.op.invocation.count" 1.0 source="h"' in points
    histograms = receiver.lines("f=histogram")
    assert any("#1 1.0" in line and '"python.proxy.hist"' in line for line in histograms)
    (span,) = receiver.lines("f=trace")
    assert span.startswith('"op" source="h" traceId=')


def test_halves_of_a_uuid_are_signed() -> None:
    some = UUID("ffffffff-ffff-fffe-7fff-fffffffffffd")
    assert get_most_significant_bits(some) == -2
    assert get_least_significant_bits(some) == 0x7FFFFFFFFFFFFFFD


def test_the_sdks_jaeger_headers_have_its_names() -> None:
    carrier: dict[str, str] = {}
    context = WavefrontSpanContext(1, 2, {"k": "v"}, True)
    JaegerWavefrontPropagator().inject(context, carrier)
    assert carrier == {"trace-id": "1:2:0:1", "baggage-k": "v"}
