"""The part of a span that travels: ids, baggage and the sampling decision; immutable."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Final, NoReturn

import opentracing

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SpanId", "WavefrontSpanContext"]

SpanId = uuid.UUID | str | int

_MASK: Final = (1 << 128) - 1
_HEX_64: Final = re.compile(r"[0-9a-fA-F]{16}")


class WavefrontSpanContext(opentracing.SpanContext):  # type: ignore[misc]  # opentracing ships no types
    """Identify a span to its children, in this process or another.

    Args:
        trace_id: 128 bits; a UUID, its text, or a number.
        span_id: A UUID, its text, or a number; 64-bit ids are the low half of the UUID.
        baggage: Items that travel to all descendants.
        decision: Whether the trace is sampled, None when nobody has decided yet.
        tracestate: What other tracing systems want passed on, unread.

    Raises:
        ValueError: An id is no UUID.
    """

    trace_id_int: int
    span_id_int: int
    tracestate: str
    _baggage: dict[str, str]
    _decision: bool | None

    def __init__(
        self,
        trace_id: SpanId | None = None,
        span_id: SpanId | None = None,
        baggage: Mapping[str, str] | None = None,
        decision: bool | None = None,
        *,
        tracestate: str = "",
    ) -> None:
        # Past our own __setattr__, which refuses.
        fields = self.__dict__
        fields["trace_id_int"] = _to_int(trace_id)
        fields["span_id_int"] = _to_int(span_id)
        fields["tracestate"] = tracestate
        fields["_baggage"] = dict(baggage) if baggage else {}
        fields["_decision"] = decision

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"cannot set {name!r}: a span context is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"cannot delete {name!r}: a span context is immutable")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WavefrontSpanContext):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((self.trace_id_int, self.span_id_int))

    @property
    def trace_id(self) -> uuid.UUID | None:
        """The trace's id, None in a context that holds baggage alone."""
        return uuid.UUID(int=self.trace_id_int) if self.trace_id_int else None

    @property
    def span_id(self) -> uuid.UUID | None:
        """The span's id, None in a context that holds baggage alone."""
        return uuid.UUID(int=self.span_id_int) if self.span_id_int else None

    @property
    def baggage(self) -> dict[str, str]:
        """A copy of the baggage."""
        return dict(self._baggage)

    @property
    def has_trace(self) -> bool:
        """Whether it names a span."""
        return bool(self.trace_id_int and self.span_id_int)

    def get_trace_id(self) -> uuid.UUID | None:
        """Return the trace's id."""
        return self.trace_id

    def get_span_id(self) -> uuid.UUID | None:
        """Return the span's id."""
        return self.span_id

    def get_baggage_item(self, key: str) -> str | None:
        """Return one baggage item, None when there is none."""
        return self._baggage.get(key)

    def with_baggage_item(self, key: str, value: str) -> WavefrontSpanContext:
        """Return a context with one more baggage item."""
        baggage = {**self._baggage, key: value}
        return self._with(baggage, self._decision)

    def with_sampling_decision(self, decision: bool) -> WavefrontSpanContext:
        """Return a context with a sampling decision."""
        return self._with(self._baggage, bool(decision))

    def _with(self, baggage: Mapping[str, str], decision: bool | None) -> WavefrontSpanContext:
        return WavefrontSpanContext(
            self.trace_id_int, self.span_id_int, baggage, decision, tracestate=self.tracestate
        )

    def is_sampled(self) -> bool:
        """Return whether a decision exists, be it for or against."""
        return self._decision is not None

    def get_sampling_decision(self) -> bool | None:
        """Return the decision, None when nobody has decided yet."""
        return self._decision

    def __str__(self) -> str:
        return f"WavefrontSpanContext{{traceId={self.trace_id}, spanId={self.span_id}}}"


def _to_int(given: SpanId | None) -> int:
    if given is None:
        return 0
    if isinstance(given, int):
        return given & _MASK
    if isinstance(given, uuid.UUID):
        return given.int
    text = str(given)
    return int(text, 16) if _HEX_64.fullmatch(text) else uuid.UUID(text).int
