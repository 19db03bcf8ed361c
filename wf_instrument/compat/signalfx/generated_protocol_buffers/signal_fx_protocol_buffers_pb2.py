"""`signalfx.generated_protocol_buffers.signal_fx_protocol_buffers_pb2`.

The messages of the ingest service as classes of the package `protobuf`, of any version, made from
the table below. This library's own clients do without them.
"""

from __future__ import annotations

from typing import Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from wf_instrument.backends.signalfx.protobuf_bytes import (
    EVENT_CATEGORIES,
    METRIC_TYPES,
)

__all__ = [
    "AGENT",
    "ALERT",
    "AUDIT",
    "COLLECTD",
    "COUNTER",
    "CUMULATIVE_COUNTER",
    "DESCRIPTOR",
    "ENUM",
    "EXCEPTION",
    "GAUGE",
    "JOB",
    "SERVICE_DISCOVERY",
    "USER_DEFINED",
    "DataPoint",
    "DataPointUploadMessage",
    "Datum",
    "Dimension",
    "Event",
    "EventUploadMessage",
    "PointValue",
    "Property",
    "PropertyValue",
]

_PACKAGE: Final = "com.signalfx.metrics.protobuf"
_FILE: Final = "signal_fx_protocol_buffers.proto"
#: Message to fields, each as number, name and type; `*` repeats, `!` is required.
_MESSAGES: Final = {
    "Datum": "1 strValue string, 2 doubleValue double, 3 intValue int64",
    "Dimension": "1 key string, 2 value string",
    "DataPoint": "1 source string, 2 metric string, 3 timestamp int64, 4 value Datum, "
    "5 metricType MetricType, 6 dimensions Dimension*",
    "DataPointUploadMessage": "1 datapoints DataPoint*",
    "PointValue": "3 timestamp int64, 4 value Datum",
    "PropertyValue": "1 strValue string, 2 doubleValue double, 3 intValue int64, 4 boolValue bool",
    "Property": "1 key string, 2 value PropertyValue",
    "Event": "1 eventType string!, 2 dimensions Dimension*, 3 properties Property*, "
    "4 category EventCategory, 5 timestamp int64",
    "EventUploadMessage": "1 events Event*",
}
_SCALARS: Final = {"string": 9, "double": 1, "int64": 3, "bool": 8}
_ENUMS: Final = {
    "MetricType": {name.upper(): number for name, number in METRIC_TYPES.items()},
    "EventCategory": EVENT_CATEGORIES,
}
_OPTIONAL, _REQUIRED, _REPEATED = 1, 2, 3
_ENUM_TYPE, _MESSAGE_TYPE = 14, 11


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name=_FILE, package=_PACKAGE, syntax="proto2")
    for enum, values in _ENUMS.items():
        added = file.enum_type.add(name=enum)
        for name, number in values.items():
            added.value.add(name=name, number=number)
    for message, fields in _MESSAGES.items():
        made = file.message_type.add(name=message)
        for field in fields.split(", "):
            position, called, kind = field.split()
            _add_field(made, int(position), called, kind)
    return file


def _add_field(message: descriptor_pb2.DescriptorProto, number: int, name: str, kind: str) -> None:
    label = {"*": _REPEATED, "!": _REQUIRED}.get(kind[-1], _OPTIONAL)
    kind = kind.rstrip("*!")
    field = message.field.add(name=name, number=number)
    field.label = label
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
        return
    field.type = _ENUM_TYPE if kind in _ENUMS else _MESSAGE_TYPE
    field.type_name = f".{_PACKAGE}.{kind}"
    if kind == "EventCategory":
        field.default_value = "USER_DEFINED"


# A pool of our own: the older package may be loaded too, and has a file of the same name.
_pool: Final = descriptor_pool.DescriptorPool()
_pool.Add(_file())
DESCRIPTOR = _pool.FindFileByName(_FILE)


def _message(name: str) -> type:
    descriptor = _pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")
    if hasattr(message_factory, "GetMessageClass"):
        made: type = message_factory.GetMessageClass(descriptor)
    else:  # protobuf before 4.22
        made = message_factory.MessageFactory(_pool).GetPrototype(descriptor)
    return made


DataPoint = _message("DataPoint")
DataPointUploadMessage = _message("DataPointUploadMessage")
Datum = _message("Datum")
Dimension = _message("Dimension")
Event = _message("Event")
EventUploadMessage = _message("EventUploadMessage")
PointValue = _message("PointValue")
Property = _message("Property")
PropertyValue = _message("PropertyValue")

GAUGE = _ENUMS["MetricType"]["GAUGE"]
COUNTER = _ENUMS["MetricType"]["COUNTER"]
ENUM = _ENUMS["MetricType"]["ENUM"]
CUMULATIVE_COUNTER = _ENUMS["MetricType"]["CUMULATIVE_COUNTER"]
USER_DEFINED = EVENT_CATEGORIES["USER_DEFINED"]
ALERT = EVENT_CATEGORIES["ALERT"]
AUDIT = EVENT_CATEGORIES["AUDIT"]
JOB = EVENT_CATEGORIES["JOB"]
COLLECTD = EVENT_CATEGORIES["COLLECTD"]
SERVICE_DISCOVERY = EVENT_CATEGORIES["SERVICE_DISCOVERY"]
EXCEPTION = EVENT_CATEGORIES["EXCEPTION"]
AGENT = EVENT_CATEGORIES["AGENT"]
