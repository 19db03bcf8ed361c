"""`wavefront_sdk.entities.tracing.span_log`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SpanLog"]


class SpanLog:
    """Something that happened within a span; `send_span` takes it like the library's own.

    Args:
        timestamp: Unix time in microseconds.
        fields: What happened.
    """

    def __init__(self, timestamp: int, fields: Mapping[str, str] | None = None) -> None:
        self.timestamp = timestamp
        self.fields = dict(fields or {})

    def __repr__(self) -> str:
        return f"SpanLog(timestamp={self.timestamp!r}, fields={self.fields!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SpanLog):
            return NotImplemented
        return (self.timestamp, self.fields) == (other.timestamp, other.fields)

    __hash__ = None  # type: ignore[assignment]  # its fields may change

    @property
    def timestamp_us(self) -> int:
        """The timestamp, under the library's own name."""
        return self.timestamp
