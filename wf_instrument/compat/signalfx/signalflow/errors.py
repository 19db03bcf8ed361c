"""`signalfx.signalflow.errors`."""

from wf_instrument.backends.signalfx.signalflow.errors import (
    ComputationAborted,
    ComputationFailed,
    SignalFlowException,
)

__all__ = [
    "ComputationAborted",
    "ComputationFailed",
    "SignalFlowException",
]
