"""`wavefront_sdk.proxy`."""

from wf_instrument.backends.wavefront.proxy_client import WavefrontProxyClient

__all__ = ["WavefrontProxyClient"]
