"""The messages of a stream, as objects.

A key that a message lacks reads None, or nothing, so that a newer service breaks no program.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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

log = logging.getLogger(__name__)

Payload = dict[str, Any]


class StreamMessage:
    """What comes over a stream."""

    @staticmethod
    def decode(mtype: str | None, payload: Payload) -> StreamMessage | None:
        """Return the message of a type and payload; None, and a warning, for an unknown type."""
        if mtype == "control-message":
            return ControlMessage.of(payload)
        # An error may come without a type.
        made_by = _MAKERS.get(mtype) if isinstance(mtype, str) else None
        if made_by is None and "error" in payload:
            made_by = _MAKERS["error"]
        if made_by is None:
            log.warning("a SignalFlow message of unknown type %.40r", mtype)
            return None
        made: StreamMessage = made_by(payload)
        return made

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class ControlMessage(StreamMessage):
    """What a computation does.

    Attributes:
        timestamp_ms: When, Unix time.
    """

    def __init__(self, timestamp_ms: int | None) -> None:
        self.timestamp_ms = timestamp_ms

    @staticmethod
    def of(payload: Payload) -> ControlMessage | None:
        """Return the message of a payload; None, and a warning, for an unknown event."""
        event, at_ms = payload.get("event"), _integer(payload, "timestampMs")
        if event == "STREAM_START":
            return StreamStartMessage(at_ms)
        if event == "JOB_START":
            return JobStartMessage(at_ms, _text(payload, "handle"))
        if event == "JOB_PROGRESS":
            return JobProgressMessage(at_ms, _integer(payload, "progress"))
        if event in ("CHANNEL_ABORT", "ABORT_CHANNEL"):
            return ChannelAbortMessage(at_ms, _object(payload, "abortInfo"))
        if event == "END_OF_CHANNEL":
            return EndOfChannelMessage(at_ms)
        if event != "KEEP_ALIVE":
            log.warning("a SignalFlow control message of unknown event %.40r", event)
        return None


class StreamStartMessage(ControlMessage):
    """The stream begins."""

    def __str__(self) -> str:
        return f"stream_start@{self.timestamp_ms}"


class JobStartMessage(ControlMessage):
    """The computation runs.

    Attributes:
        handle: Names it, for `attach`, `keepalive` and `stop`.
    """

    def __init__(self, timestamp_ms: int | None, handle: str | None) -> None:
        super().__init__(timestamp_ms)
        self.handle = handle

    def __str__(self) -> str:
        return f"job_start@{self.timestamp_ms}: {self.handle}"


class JobProgressMessage(ControlMessage):
    """How far the computation is.

    Attributes:
        progress: Per cent.
    """

    def __init__(self, timestamp_ms: int | None, progress: int | None) -> None:
        super().__init__(timestamp_ms)
        self.progress = progress

    def __str__(self) -> str:
        return f"job_progress@{self.timestamp_ms}: {self.progress}"


class ChannelAbortMessage(ControlMessage):
    """The service ended the computation.

    Attributes:
        abort_info: Why, as the service says it.
    """

    def __init__(self, timestamp_ms: int | None, abort_info: Payload | None) -> None:
        super().__init__(timestamp_ms)
        self.abort_info = abort_info

    def __str__(self) -> str:
        return f"channel_abort@{self.timestamp_ms}: {self.abort_info}"


class EndOfChannelMessage(ControlMessage):
    """The computation is done."""

    def __str__(self) -> str:
        return f"end_of_channel@{self.timestamp_ms}"


class InfoMessage(StreamMessage):
    """What the service has to say about a computation.

    Attributes:
        logical_timestamp_ms: Of the data it is about.
        message: `messageCode`, `messageLevel`, `contents` and so on.
    """

    def __init__(self, logical_timestamp_ms: int | None, message: Payload | None) -> None:
        self.logical_timestamp_ms = logical_timestamp_ms
        self.message = message

    def __str__(self) -> str:
        return f"info@{self.logical_timestamp_ms}: {self.message}"


class EventMessage(StreamMessage):
    """An event, of a detector for example.

    Attributes:
        tsid: Id of its time series.
        timestamp_ms: When, Unix time.
        metadata: Of the time series.
        properties: Of alerts `was`, `is`, `incidentId`, `inputValues`.
    """

    def __init__(
        self,
        tsid: str | None,
        timestamp_ms: int | None,
        metadata: Payload | None,
        properties: Payload | None,
    ) -> None:
        self.tsid = tsid
        self.timestamp_ms = timestamp_ms
        self.metadata = metadata
        self.properties = properties

    def __str__(self) -> str:
        pairs = ", ".join(f"{key}: {value}" for key, value in (self.properties or {}).items())
        return f"event@{self.timestamp_ms}: {self.metadata}: {pairs}"


class MetadataMessage(StreamMessage):
    """What is known of a time series.

    Attributes:
        tsid: Its id.
        properties: Its metric, dimensions and so on.
    """

    def __init__(self, tsid: str | None, properties: Payload | None) -> None:
        self.tsid = tsid
        self.properties = properties

    def __str__(self) -> str:
        lines = [f"  {key}: {value}" for key, value in (self.properties or {}).items()]
        return "\n".join([f"metadata for {self.tsid}:", *lines])


class ExpiredTsIdMessage(StreamMessage):
    """A time series is gone.

    Attributes:
        tsid: Its id.
    """

    def __init__(self, tsid: str | None) -> None:
        self.tsid = tsid

    def __str__(self) -> str:
        return f"expired_tsid for {self.tsid}"


class DataMessage(StreamMessage):
    """Values of time series at one time.

    Attributes:
        logical_timestamp_ms: The time, Unix time.
        data: Id of a time series to its value, None where it has none.
        max_delay_ms: How long the service waited for late data, if it says so.
    """

    def __init__(
        self,
        logical_timestamp_ms: int | None,
        data: Mapping[str, Any] | Iterable[Mapping[str, Any]],
        max_delay_ms: int | None = None,
    ) -> None:
        self.logical_timestamp_ms = logical_timestamp_ms
        self.data: dict[str, Any] = _values(data)
        self.max_delay_ms = max_delay_ms

    def add_data(self, data: Mapping[str, Any]) -> None:
        """Add values; a later one of a time series replaces the earlier."""
        self.data.update(data)

    def __str__(self) -> str:
        values = ", ".join(f"{tsid}: {value}" for tsid, value in self.data.items())
        return f"data@{self.logical_timestamp_ms}: {values}"


class ErrorMessage(StreamMessage):
    """What is wrong with a computation.

    Attributes:
        errors: A list of `code` and `context`.
        error_type: The service's name for it, or None.
        message: What it says, or None.
    """

    def __init__(
        self,
        errors: list[Payload] | None,
        error_type: str | None = None,
        message: str | None = None,
    ) -> None:
        self.errors = errors
        self.error_type = error_type
        self.message = message

    def __str__(self) -> str:
        return f"error: {self.errors}"


def _values(data: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    if isinstance(data, dict):
        return dict(data)
    return {
        one["tsId"]: one.get("value")
        for one in data
        if isinstance(one, dict) and isinstance(one.get("tsId"), str)
    }


def _integer(payload: Payload, key: str) -> int | None:
    value = payload.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(payload: Payload, key: str) -> str | None:
    value = payload.get(key)
    return value if isinstance(value, str) else None


def _object(payload: Payload, key: str) -> Payload | None:
    value = payload.get(key)
    return value if isinstance(value, dict) else None


def _data(payload: Payload) -> DataMessage:
    values = payload.get("data")
    return DataMessage(
        _integer(payload, "logicalTimestampMs"),
        values if isinstance(values, (list, dict)) else (),
        _integer(payload, "maxDelayMs"),
    )


def _error(payload: Payload) -> ErrorMessage:
    """Return the error of either shape: a list of errors, or one in the message's own keys."""
    errors = payload.get("errors")
    kind, text = _text(payload, "errorType"), _text(payload, "message")
    if not isinstance(errors, list):
        keys = ("error", "errorType", "message", "context")
        errors = [{key: payload[key] for key in keys if key in payload}]
        errors[0]["code"] = payload.get("error")
    return ErrorMessage(errors, kind, text)


_MAKERS: Final[dict[str, Any]] = {
    "message": lambda p: InfoMessage(_integer(p, "logicalTimestampMs"), _object(p, "message")),
    "event": lambda p: EventMessage(
        _text(p, "tsId"),
        _integer(p, "timestampMs"),
        _object(p, "metadata"),
        _object(p, "properties"),
    ),
    "metadata": lambda p: MetadataMessage(_text(p, "tsId"), _object(p, "properties")),
    "expired-tsid": lambda p: ExpiredTsIdMessage(_text(p, "tsId")),
    "data": _data,
    "error": _error,
}
