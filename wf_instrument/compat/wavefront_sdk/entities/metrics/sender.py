"""`wavefront_sdk.entities.metrics.sender`."""

from wf_instrument.backends.wavefront.senders import WavefrontMetricSender

__all__ = ["WavefrontMetricSender"]
