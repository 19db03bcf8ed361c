"""`signalfx.signalflow.transport`."""

from wf_instrument.backends.signalfx.signalflow.channel import Transport as _SignalFlowTransport

__all__ = ["_SignalFlowTransport"]
