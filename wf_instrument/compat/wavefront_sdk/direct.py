"""`wavefront_sdk.direct`."""

from wf_instrument.backends.wavefront.direct_client import WavefrontDirectClient
from wf_instrument.backends.wavefront.queue_capacity import remaining_capacity_getter

__all__ = ["WavefrontDirectClient", "remaining_capacity_getter"]
