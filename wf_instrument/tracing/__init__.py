"""Tracing: the OpenTracing tracer, its spans, samplers and propagators."""

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
from wf_instrument.tracing.tracer import WavefrontTracer

__all__ = [
    "CompositeSampler",
    "ConstantSampler",
    "DurationSampler",
    "RateSampler",
    "Sampler",
    "SpanBuffer",
    "SpanData",
    "SpanLog",
    "WavefrontSpan",
    "WavefrontSpanContext",
    "WavefrontTracer",
]
