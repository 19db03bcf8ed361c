"""Propagation: span contexts in headers."""

from wf_instrument.tracing.propagation.b3 import B3Propagator
from wf_instrument.tracing.propagation.binary import BinaryPropagator
from wf_instrument.tracing.propagation.environ import context_from_environ
from wf_instrument.tracing.propagation.jaeger import JaegerPropagator
from wf_instrument.tracing.propagation.propagator import Propagator
from wf_instrument.tracing.propagation.registry import CompositePropagator, PropagatorRegistry
from wf_instrument.tracing.propagation.w3c import W3CPropagator
from wf_instrument.tracing.propagation.wavefront_headers import WavefrontPropagator

__all__ = [
    "B3Propagator",
    "BinaryPropagator",
    "CompositePropagator",
    "JaegerPropagator",
    "Propagator",
    "PropagatorRegistry",
    "W3CPropagator",
    "WavefrontPropagator",
    "context_from_environ",
]
