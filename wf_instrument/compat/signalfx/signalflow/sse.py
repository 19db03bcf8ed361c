"""`signalfx.signalflow.sse`."""

from wf_instrument.backends.signalfx.signalflow.channel import (
    ComputationChannel as SSEComputationChannel,
)
from wf_instrument.backends.signalfx.signalflow.sse_transport import SSETransport

__all__ = ["SSEComputationChannel", "SSETransport"]
