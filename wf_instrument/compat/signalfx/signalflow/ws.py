"""`signalfx.signalflow.ws`."""

from wf_instrument.backends.signalfx.signalflow.channel import (
    ComputationChannel as WebSocketComputationChannel,
)
from wf_instrument.backends.signalfx.signalflow.websocket_transport import WebSocketTransport

__all__ = ["WebSocketComputationChannel", "WebSocketTransport"]
