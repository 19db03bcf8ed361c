"""Tracing: the OpenTracing tracer, its spans, samplers, propagators and reporters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wf_instrument.late_names import late_names

if TYPE_CHECKING:
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

__getattr__, __dir__ = late_names(
    __name__,
    {
        "ACTIVE": "active",
        "B3Propagator": "propagation",
        "CompositePropagator": "propagation",
        "CompositeReporter": "reporters",
        "CompositeSampler": "samplers",
        "ConsoleReporter": "reporters",
        "ConstantSampler": "samplers",
        "DurationSampler": "samplers",
        "InMemoryReporter": "reporters",
        "JaegerPropagator": "propagation",
        "Propagator": "propagation",
        "PropagatorRegistry": "propagation",
        "RateSampler": "samplers",
        "Sampler": "samplers",
        "SpanBuffer": "span_buffer",
        "SpanData": "span_data",
        "SpanLog": "span_data",
        "SpanReporter": "tracer",
        "W3CPropagator": "propagation",
        "WavefrontPropagator": "propagation",
        "WavefrontSpan": "span",
        "WavefrontSpanContext": "span_context",
        "WavefrontTracer": "tracer",
    },
)
