"""`signalfx.signalflow.messages`."""

from wf_instrument.backends.signalfx.signalflow.messages import (
    ChannelAbortMessage,
    ControlMessage,
    DataMessage,
    EndOfChannelMessage,
    ErrorMessage,
    EventMessage,
    ExpiredTsIdMessage,
    InfoMessage,
    JobProgressMessage,
    JobStartMessage,
    MetadataMessage,
    StreamMessage,
    StreamStartMessage,
)

__all__ = [
    "ChannelAbortMessage",
    "ControlMessage",
    "DataMessage",
    "EndOfChannelMessage",
    "ErrorMessage",
    "EventMessage",
    "ExpiredTsIdMessage",
    "InfoMessage",
    "JobProgressMessage",
    "JobStartMessage",
    "MetadataMessage",
    "StreamMessage",
    "StreamStartMessage",
]
