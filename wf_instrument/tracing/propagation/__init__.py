"""Propagation: span contexts in headers."""

from wf_instrument.tracing.propagation.binary import BinaryPropagator
from wf_instrument.tracing.propagation.environ import WSGI_CARRIER_KEYS, context_from_environ
from wf_instrument.tracing.propagation.propagator import Propagator
from wf_instrument.tracing.propagation.registry import CompositePropagator, PropagatorRegistry
from wf_instrument.tracing.propagation.w3c import W3CPropagator
from wf_instrument.tracing.propagation.wavefront_headers import WavefrontPropagator

__all__ = [
    "WSGI_CARRIER_KEYS",
    "BinaryPropagator",
    "CompositePropagator",
    "Propagator",
    "PropagatorRegistry",
    "W3CPropagator",
    "WavefrontPropagator",
    "context_from_environ",
]
