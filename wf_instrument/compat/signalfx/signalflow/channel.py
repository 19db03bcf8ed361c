"""`signalfx.signalflow.channel`."""

from wf_instrument.backends.signalfx.signalflow.channel import ComputationChannel as _Channel

__all__ = ["_Channel"]
