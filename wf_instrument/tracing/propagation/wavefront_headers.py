"""Wavefront's own headers, `wf-ot-*`."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Final

from wf_instrument.tracing.propagation.propagator import (
    MAX_BAGGAGE_BYTES,
    MAX_BAGGAGE_ITEMS,
    put,
    read_carrier,
)
from wf_instrument.tracing.span_context import WavefrontSpanContext

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["WavefrontPropagator"]

# Source: Wavefront OpenTracing SDK, text map propagator.
_PREFIX: Final = "wf-ot-"
_TRACE_ID: Final = "wf-ot-traceid"
_SPAN_ID: Final = "wf-ot-spanid"
_SAMPLE: Final = "wf-ot-sample"
_RESERVED: Final = frozenset({_TRACE_ID, _SPAN_ID, _SAMPLE})
#: What a header's name and value can hold without being another header, or none.
#: Source: RFC 9110, sections 5.1 and 5.5.
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


class WavefrontPropagator:
    """Reads and writes `wf-ot-traceid`, `wf-ot-spanid`, `wf-ot-sample` and `wf-ot-<baggage>`."""

    trigger_headers: Final = (_TRACE_ID,)

    def inject(self, context: WavefrontSpanContext, carrier: object) -> None:
        """Write the headers; no `wf-ot-sample` when nobody has decided.

        Baggage that a header cannot hold as it is stands in W3C's `baggage` alone, encoded.
        """
        if not context.has_trace:
            return
        put(carrier, _TRACE_ID, str(uuid.UUID(int=context.trace_id_int)))
        put(carrier, _SPAN_ID, str(uuid.UUID(int=context.span_id_int)))
        decision = context.get_sampling_decision()
        if decision is not None:
            put(carrier, _SAMPLE, str(decision))
        for key, value in _bounded(context.baggage.items()).items():
            if _NAME.fullmatch(key) and _VALUE.fullmatch(value) and _PREFIX + key not in _RESERVED:
                put(carrier, _PREFIX + key, value)

    def extract(self, carrier: object) -> WavefrontSpanContext | None:
        """Return the caller's context, None when an id is missing or no UUID."""
        headers = read_carrier(carrier)
        try:
            trace_id = uuid.UUID(headers[_TRACE_ID][:64]).int
            span_id = uuid.UUID(headers[_SPAN_ID][:64]).int
        except (KeyError, ValueError):
            return None
        if not trace_id or not span_id:
            return None
        sample = headers.get(_SAMPLE, "").lower()
        decision = {"true": True, "false": False}.get(sample)
        return WavefrontSpanContext(trace_id, span_id, _baggage(headers), decision)


def _baggage(headers: dict[str, str]) -> dict[str, str]:
    return _bounded(
        (name.removeprefix(_PREFIX), value)
        for name, value in headers.items()
        if name.startswith(_PREFIX) and name not in _RESERVED
    )


def _bounded(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    items: dict[str, str] = {}
    size = 0
    for key, value in pairs:
        text = str(value)
        size += len(_PREFIX) + len(str(key)) + len(text)
        if size > MAX_BAGGAGE_BYTES or len(items) >= MAX_BAGGAGE_ITEMS:
            break
        items[str(key)] = text
    return items
