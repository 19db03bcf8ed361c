"""`wavefront_sdk.common.proxy_connection_handler`."""

from wf_instrument.backends.wavefront.raw_connection import ProxyConnectionHandler

__all__ = ["ProxyConnectionHandler"]
