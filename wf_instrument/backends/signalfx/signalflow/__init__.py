"""SignalFlow: streaming computations on the service, and their results."""

from wf_instrument.backends.signalfx.signalflow.client import SignalFlowClient
from wf_instrument.backends.signalfx.signalflow.computation import Computation
from wf_instrument.backends.signalfx.signalflow.errors import (
    ComputationAborted,
    ComputationFailed,
    SignalFlowConnectionError,
    SignalFlowException,
)
from wf_instrument.backends.signalfx.signalflow.result_table import ResultTable
from wf_instrument.backends.signalfx.signalflow.sse_transport import SSETransport
from wf_instrument.backends.signalfx.signalflow.websocket_transport import WebSocketTransport

__all__ = [
    "Computation",
    "ComputationAborted",
    "ComputationFailed",
    "ResultTable",
    "SSETransport",
    "SignalFlowClient",
    "SignalFlowConnectionError",
    "SignalFlowException",
    "WebSocketTransport",
]
