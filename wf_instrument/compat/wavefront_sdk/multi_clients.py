"""`wavefront_sdk.multi_clients`."""

from wf_instrument.backends.wavefront.multi_client import WavefrontMultiClient

__all__ = ["WavefrontMultiClient"]
