"""`wavefront_sdk.common.connection_handler`."""

from wf_instrument.backends.wavefront.raw_connection import ConnectionHandler

__all__ = ["ConnectionHandler"]
