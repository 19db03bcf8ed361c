"""`signalfx.rest`."""

from wf_instrument.backends.signalfx.rest import (
    SignalFxRestClient,
)

__all__ = [
    "SignalFxRestClient",
]
