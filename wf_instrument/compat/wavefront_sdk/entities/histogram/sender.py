"""`wavefront_sdk.entities.histogram.sender`."""

from wf_instrument.backends.wavefront.senders import WavefrontHistogramSender

__all__ = ["WavefrontHistogramSender"]
