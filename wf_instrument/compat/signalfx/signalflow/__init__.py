"""`signalfx.signalflow`."""

from wf_instrument.backends.signalfx.signalflow.client import SignalFlowClient
from wf_instrument.backends.signalfx.signalflow.computation import Computation
from wf_instrument.compat.signalfx.signalflow import (
    channel,
    computation,
    errors,
    messages,
    transport,
    ws,
)

__all__ = [
    "Computation",
    "SignalFlowClient",
    "channel",
    "computation",
    "errors",
    "messages",
    "transport",
    "ws",
]
