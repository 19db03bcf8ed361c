"""`wavefront_sdk.client`."""

from wf_instrument.backends.wavefront.client import WavefrontClient
from wf_instrument.backends.wavefront.client_constants import ClientConstants
from wf_instrument.backends.wavefront.queue_capacity import remaining_capacity_getter

__all__ = ["WavefrontClient", "remaining_capacity_getter"]

# The factory's clients must be instances of this very class, so it gets the constants, and no
# subclass of it does.
for _name, _value in vars(ClientConstants).items():
    if _name.isupper() and not hasattr(WavefrontClient, _name):
        setattr(WavefrontClient, _name, _value)
