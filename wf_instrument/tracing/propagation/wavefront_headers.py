"""Wavefront's own headers, `wf-ot-*`."""

from __future__ import annotations

import uuid
from typing import Final

from wf_instrument.tracing.propagation.propagator import (
    MAX_BAGGAGE_BYTES,
    MAX_BAGGAGE_ITEMS,
    put,
    read_carrier,
)
from wf_instrument.tracing.span_context import WavefrontSpanContext

__all__ = ["WavefrontPropagator"]

# Source: Wavefront OpenTracing SDK, text map propagator.
_PREFIX: Final = "wf-ot-"
_TRACE_ID: Final = "wf-ot-traceid"
_SPAN_ID: Final = "wf-ot-spanid"
_SAMPLE: Final = "wf-ot-sample"
_RESERVED: Final = frozenset({_TRACE_ID, _SPAN_ID, _SAMPLE})


class WavefrontPropagator:
    """Reads and writes `wf-ot-traceid`, `wf-ot-spanid`, `wf-ot-sample` and `wf-ot-<baggage>`."""

    def inject(self, context: WavefrontSpanContext, carrier: object) -> None:
        """Write the headers; no `wf-ot-sample` when nobody has decided."""
        put(carrier, _TRACE_ID, str(uuid.UUID(int=context.trace_id_int)))
        put(carrier, _SPAN_ID, str(uuid.UUID(int=context.span_id_int)))
        decision = context.get_sampling_decision()
        if decision is not None:
            put(carrier, _SAMPLE, str(decision))
        for key, value in context.baggage.items():
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
    items: dict[str, str] = {}
    size = 0
    for name, value in headers.items():
        if name.startswith(_PREFIX) and name not in _RESERVED:
            size += len(name) + len(value)
            if size > MAX_BAGGAGE_BYTES or len(items) >= MAX_BAGGAGE_ITEMS:
                break
            items[name.removeprefix(_PREFIX)] = value
    return items
