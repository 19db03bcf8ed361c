"""Tracing: the OpenTracing tracer, its spans, samplers, propagators and reporters."""

from wf_instrument.tracing.active import ACTIVE
from wf_instrument.tracing.propagation import (
    B3Propagator,
    CompositePropagator,
    JaegerPropagator,
    Propagator,
    PropagatorRegistry,
    W3CPropagator,
    WavefrontPropagator,
)
from wf_instrument.tracing.reporters import CompositeReporter, ConsoleReporter, InMemoryReporter
from wf_instrument.tracing.samplers import (
    CompositeSampler,
    ConstantSampler,
    DurationSampler,
    RateSampler,
    Sampler,
)
from wf_instrument.tracing.span import WavefrontSpan
from wf_instrument.tracing.span_buffer import SpanBuffer
from wf_instrument.tracing.span_context import WavefrontSpanContext
from wf_instrument.tracing.span_data import SpanData, SpanLog
from wf_instrument.tracing.tracer import SpanReporter, WavefrontTracer

__all__ = [
    "ACTIVE",
    "B3Propagator",
    "CompositePropagator",
    "CompositeReporter",
    "CompositeSampler",
    "ConsoleReporter",
    "ConstantSampler",
    "DurationSampler",
    "InMemoryReporter",
    "JaegerPropagator",
    "Propagator",
    "PropagatorRegistry",
    "RateSampler",
    "Sampler",
    "SpanBuffer",
    "SpanData",
    "SpanLog",
    "SpanReporter",
    "W3CPropagator",
    "WavefrontPropagator",
    "WavefrontSpan",
    "WavefrontSpanContext",
    "WavefrontTracer",
]
