"""`wavefront_sdk.entities.metrics`."""

from wf_instrument.backends.wavefront.senders import WavefrontMetricSender

__all__ = ["WavefrontMetricSender"]
