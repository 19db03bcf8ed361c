"""`wavefront_sdk.entities.event`."""

from wf_instrument.backends.wavefront.senders import WavefrontEventSender

__all__ = ["WavefrontEventSender"]
