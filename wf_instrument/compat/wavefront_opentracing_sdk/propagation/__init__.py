"""`wavefront_opentracing_sdk.propagation`."""

from wf_instrument.compat.wavefront_opentracing_sdk.propagation.http import HTTPPropagator
from wf_instrument.compat.wavefront_opentracing_sdk.propagation.jaeger_wavefront import (
    JaegerWavefrontPropagator,
)
from wf_instrument.compat.wavefront_opentracing_sdk.propagation.textmap import TextMapPropagator
from wf_instrument.tracing import Propagator, PropagatorRegistry

__all__ = [
    "HTTPPropagator",
    "JaegerWavefrontPropagator",
    "Propagator",
    "PropagatorRegistry",
    "TextMapPropagator",
]
