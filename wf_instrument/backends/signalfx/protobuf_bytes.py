"""Data points and events in the service's protobuf encoding: no I/O, no clock, no package.

Of each message only what the service reads is written. What recurs in every point of a program, its
metric names and dimensions, is encoded once and remembered.

Source:
    `signal_fx_protocol_buffers.proto`, package `com.signalfx.metrics.protobuf`, proto2.
    Protocol Buffers, "Encoding".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.signalfx.field_rules import checked_dimensions, checked_integer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wf_instrument.backends.signalfx.field_rules import LimitCheck

Pairs = tuple[tuple[str, str], ...]

__all__ = ["EVENT_CATEGORIES", "METRIC_TYPES", "ProtobufEncoder"]

#: Source: enum `MetricType`.
METRIC_TYPES: Final = {"gauge": 0, "counter": 1, "enum": 2, "cumulative_counter": 3}
#: Source: enum `EventCategory`.
EVENT_CATEGORIES: Final = {
    "USER_DEFINED": 1000000,
    "ALERT": 100000,
    "AUDIT": 200000,
    "JOB": 300000,
    "COLLECTD": 400000,
    "SERVICE_DISCOVERY": 500000,
    "EXCEPTION": 700000,
    "AGENT": 2000000,
}

#: Names and dimensions remembered; beyond that all are forgotten and begun anew.
_MAX_REMEMBERED: Final = 10_000
_double: Final = struct.Struct("<d").pack
_64_BITS: Final = (1 << 64) - 1
_ONE_BYTE: Final = tuple(bytes((number,)) for number in range(0x80))
#: Field 5 of `DataPoint`, always written.
_TYPES: Final = {kind: bytes((0x28, number)) for kind, number in METRIC_TYPES.items()}


class ProtobufEncoder:
    """Encodes points and events of one client.

    Args:
        limits: Asked about every name and dimension when it is first seen.
    """

    content_type = "application/x-protobuf"

    def __init__(self, limits: LimitCheck) -> None:
        self._limits = limits
        self._metrics: dict[str, bytes] = {}
        self._points: dict[Pairs, bytes] = {}
        self._events: dict[Pairs, bytes] = {}

    def point(self, kind: str, point: Mapping[str, Any], extra: Mapping[str, str]) -> bytes:
        """Return a point as one `datapoints` field of a `DataPointUploadMessage`.

        Args:
            kind: A key of `METRIC_TYPES`.
            point: `metric`, `value`, and if any `timestamp` in milliseconds and `dimensions`.
            extra: Dimensions of the client, which win over the point's own.

        Raises:
            KeyError: There is no `metric` or no `value`.
            TypeError: A name or a dimension is no string.
            ValueError: The value or the timestamp cannot be encoded, or `dimensions` is no dict.
        """
        name = point["metric"]
        # What equals a text encodes as it, an enum's member too; a number never equals one.
        metric = self._metrics.get(name) or self._metric(name)
        datum = _datum(point["value"])
        timestamp = point.get("timestamp")
        own = point.get("dimensions", _NONE)
        if extra:
            own = {**checked_dimensions(_NONE if own is None else own), **extra}
        tail = self._pairs(6, own, self._points) if own or own.__class__ is not dict else b""
        body = b"".join(
            (
                metric,
                b"\x18" + _varint(checked_integer(int(timestamp))) if timestamp else b"",
                b"\x22",
                _varint(len(datum)),
                datum,
                _TYPES[kind],
                tail,
            )
        )
        return b"\x0a" + _varint(len(body)) + body

    def event(
        self,
        event_type: str,
        category: str | None,
        dimensions: Mapping[str, str],
        properties: Mapping[str, Any],
        timestamp: int | None,
    ) -> bytes:
        """Return an `EventUploadMessage` of one event; all arguments but the texts are checked.

        Raises:
            TypeError: A name or a dimension is no string.
            ValueError: A property's value cannot be encoded.
        """
        if not isinstance(event_type, str):
            raise TypeError(f"event_type is a {type(event_type).__name__}; give a string")
        parts = [_field(1, event_type.encode()), self._pairs(2, dimensions, self._events)]
        for key, value in properties.items():
            pair = _field(1, _text(key, "a property's name"))
            parts.append(_field(3, pair + _field(2, _property(value))))
        if category is not None:
            parts.append(b"\x20" + _varint(EVENT_CATEGORIES[category]))
        if timestamp:
            parts.append(b"\x28" + _varint(checked_integer(timestamp)))
        return _field(1, b"".join(parts))

    def _metric(self, name: object) -> bytes:
        encoded = _field(2, _text(name, "metric"))
        if self._limits.metric(str(name)):
            if len(self._metrics) >= _MAX_REMEMBERED:
                self._metrics.clear()
            self._metrics[str(name)] = encoded
        return encoded

    def _pairs(self, field: int, dimensions: object, known: dict[Pairs, bytes]) -> bytes:
        given = checked_dimensions(dimensions)
        key = tuple(given.items())
        try:
            found = known.get(key)
        except TypeError:  # a value that has no hash is no text, which is told below
            found = None
        if found is not None:
            return found
        encoded = []
        are_within = self._limits.count(len(given))
        for name, value in given.items():
            pair = _field(1, _text(name, "a dimension's name"))
            encoded.append(_field(field, pair + _field(2, _text(value, f"dimension {name!r}"))))
            are_within &= self._limits.dimension(str(name), str(value))
        made = b"".join(encoded)
        if are_within:
            if len(known) >= _MAX_REMEMBERED:
                known.clear()
            known[key] = made
        return made


_NONE: Final[dict[str, str]] = {}


def _datum(value: object) -> bytes:
    """Return a `Datum` of a point's value."""
    if isinstance(value, float):
        return b"\x11" + _double(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return b"\x18" + _varint(checked_integer(value))
    if isinstance(value, str):
        return _field(1, value.encode())
    raise ValueError(f"value is a {type(value).__name__}; give an int, a float or a str")


def _property(value: object) -> bytes:
    """Return a `PropertyValue`, whose other fields are those of a `Datum`."""
    return bytes((0x20, value)) if isinstance(value, bool) else _datum(value)


def _text(value: object, what: str) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"{what} is a {type(value).__name__}; give a string")
    return value.encode()


def _field(number: int, content: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    if 0 <= number < 0x80:
        return _ONE_BYTE[number]
    # Lengths and times, the most frequent by far, without a loop.
    if 0 < number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    if 1 << 35 <= number < 1 << 42:
        return bytes(
            (
                number & 0x7F | 0x80,
                number >> 7 & 0x7F | 0x80,
                number >> 14 & 0x7F | 0x80,
                number >> 21 & 0x7F | 0x80,
                number >> 28 & 0x7F | 0x80,
                number >> 35,
            )
        )
    number &= _64_BITS
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
