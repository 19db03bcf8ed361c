"""`wavefront_sdk.entities.tracing`."""

from wf_instrument.backends.wavefront.senders import WavefrontTracingSpanSender
from wf_instrument.compat.wavefront_sdk.entities.tracing.span_log import SpanLog

__all__ = ["SpanLog", "WavefrontTracingSpanSender"]
