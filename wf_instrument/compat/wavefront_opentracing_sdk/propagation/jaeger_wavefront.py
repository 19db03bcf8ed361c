"""`wavefront_opentracing_sdk.propagation.jaeger_wavefront`."""

from __future__ import annotations

from wf_instrument.tracing import JaegerPropagator

__all__ = ["JaegerWavefrontPropagator"]


class JaegerWavefrontPropagator(JaegerPropagator):
    """Jaeger's headers under the names that the SDK gives them by default."""

    def __init__(self, trace_id_header: str = "trace-id", baggage_prefix: str = "baggage-") -> None:
        super().__init__(trace_id_header, baggage_prefix)
