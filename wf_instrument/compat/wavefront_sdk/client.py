"""`wavefront_sdk.client`."""

from wf_instrument.backends.wavefront.client import WavefrontClient
from wf_instrument.backends.wavefront.queue_capacity import remaining_capacity_getter

__all__ = ["WavefrontClient", "remaining_capacity_getter"]
