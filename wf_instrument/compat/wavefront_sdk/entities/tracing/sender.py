"""`wavefront_sdk.entities.tracing.sender`."""

from wf_instrument.backends.wavefront.senders import WavefrontTracingSpanSender

__all__ = ["WavefrontTracingSpanSender"]
