"""Propagation: span contexts in headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wf_instrument.late_names import late_names

if TYPE_CHECKING:
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

__getattr__, __dir__ = late_names(
    __name__,
    {
        "B3Propagator": "b3",
        "BinaryPropagator": "binary",
        "CompositePropagator": "registry",
        "JaegerPropagator": "jaeger",
        "Propagator": "propagator",
        "PropagatorRegistry": "registry",
        "W3CPropagator": "w3c",
        "WavefrontPropagator": "wavefront_headers",
        "context_from_environ": "environ",
    },
)
