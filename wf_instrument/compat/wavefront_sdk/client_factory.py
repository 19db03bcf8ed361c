"""`wavefront_sdk.client_factory`."""

from wf_instrument.backends.wavefront.client_factory import WavefrontClientFactory

__all__ = ["WavefrontClientFactory"]
