"""Binary messages of the WebSocket, read into dicts: no I/O.

Source:
    The vendor's public clients for Java, Node.js and Go; "Binary encoding of WebSocket messages" of
    its developer pages. All integers are big-endian.
"""

from __future__ import annotations

import json
import struct
import zlib
from base64 import urlsafe_b64encode
from typing import Any, Final

from wf_instrument.backends.signalfx.signalflow.errors import FrameError

__all__ = ["read_frame"]

#: Version, type, flags, a reserved byte, channel.
_HEADER: Final = struct.Struct(">BBBx16s")
#: The older preamble: version in two bytes, then type and flags.
_HEADER_2: Final = struct.Struct(">HBB16s")
_OLDER_VERSION: Final = 2
_NEWEST_VERSION: Final = 3
_GZIP: Final = 1
_JSON: Final = 2
_DATA: Final = 5
#: Timestamp and number of points.
_DATA_1: Final = struct.Struct(">qi")
#: Timestamp, effective max delay and number of points.
_DATA_3: Final = struct.Struct(">qqi")
_POINT: Final = struct.Struct(">B8s8s")
_LONG: Final = struct.Struct(">q")
_DOUBLE: Final = struct.Struct(">d")
#: Types of values: none, long, double, int.
_NONE_VALUE, _LONG_VALUE, _DOUBLE_VALUE, _INT_VALUE = range(4)
_AUTO_DETECT: Final = 47
#: A message that claims to be larger unpacked is none of this service.
_MAX_UNPACKED: Final = 256 * 1024 * 1024


def read_frame(frame: bytes) -> dict[str, Any]:
    """Return a binary message as the dict that a text message would be.

    Raises:
        FrameError: It is cut short, of an unknown version or type, or holds no gzip or JSON where
            it says so.
    """
    version, kind, flags, channel, body = _header(frame)
    if flags & _GZIP:
        body = _unpacked(body)
    if flags & _JSON:
        message = _object(body)
        message.setdefault("channel", channel)
        return message
    if kind != _DATA:
        raise FrameError(f"a binary message of type {kind}, which only JSON can hold")
    return {"channel": channel, "type": "data", **_data(version, body)}


def _header(frame: bytes) -> tuple[int, int, int, str, bytes]:
    if len(frame) < _HEADER.size:
        raise FrameError(f"a binary message of {len(frame)} bytes, shorter than its header")
    version, kind, flags, channel = _HEADER.unpack_from(frame)
    if version == _OLDER_VERSION and kind == 0:
        _, kind, flags, channel = _HEADER_2.unpack_from(frame)
    if not 1 <= version <= _NEWEST_VERSION:
        raise FrameError(f"a binary message of version {version}; known are 1 to 3")
    name = channel.rstrip(b"\0").decode("utf-8", "replace")
    return version, kind, flags, name, frame[_HEADER.size :]


def _unpacked(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(_AUTO_DETECT)
    try:
        unpacked = unpacker.decompress(body, _MAX_UNPACKED)
    except zlib.error as exc:
        raise FrameError(f"a binary message whose gzip cannot be read: {exc}") from exc
    if not unpacker.eof:
        raise FrameError("a binary message whose gzip is cut short or far too large")
    return unpacked


def _object(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise FrameError(f"a binary message whose JSON cannot be read: {exc}") from exc
    if not isinstance(message, dict):
        raise FrameError("a binary message whose JSON is no object")
    return message


def _data(version: int, body: bytes) -> dict[str, Any]:
    layout = _DATA_1 if version == 1 else _DATA_3
    if len(body) < layout.size:
        raise FrameError(f"a data message of {len(body)} bytes, shorter than its head")
    timestamp_ms, *delay, count = layout.unpack_from(body)
    points = body[layout.size :]
    if count < 0 or len(points) != count * _POINT.size:
        raise FrameError(f"a data message of {count} points in {len(points)} bytes")
    data = [
        {"tsId": _text(tsid), "value": _value(kind, raw)}
        for kind, tsid, raw in _POINT.iter_unpack(points)
        if kind <= _INT_VALUE
    ]
    return {
        "logicalTimestampMs": timestamp_ms,
        "maxDelayMs": delay[0] if delay else None,
        "data": data,
    }


def _value(kind: int, raw: bytes) -> float | None:
    if kind == _NONE_VALUE:
        return None
    if kind == _DOUBLE_VALUE:
        value: float = _DOUBLE.unpack(raw)[0]
        return value
    number: int = _LONG.unpack(raw)[0]
    return number


def _text(tsid: bytes) -> str:
    return urlsafe_b64encode(tsid).rstrip(b"=").decode()
