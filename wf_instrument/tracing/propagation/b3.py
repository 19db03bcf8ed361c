"""B3, as Zipkin has it: one header `b3`, or several `X-B3-*`.

Source:
    B3 propagation, "Multiple Headers" and "Single Header".
"""

from __future__ import annotations

import re
from typing import Final, Literal

from wf_instrument.tracing.propagation.propagator import put, read_carrier
from wf_instrument.tracing.span_context import WavefrontSpanContext

__all__ = ["B3Propagator"]

_SINGLE: Final = re.compile(
    r"([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?", re.IGNORECASE
)
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{16}", re.IGNORECASE)
_SPAN_ID: Final = re.compile(r"[0-9a-f]{16}", re.IGNORECASE)
_SPAN_MASK: Final = (1 << 64) - 1
_DECISIONS: Final = {"0": False, "1": True, "d": True, "false": False, "true": True}


class B3Propagator:
    """Reads both forms, the single one first; writes the one it is told to.

    B3 carries no baggage. A decision without ids (`b3: 0`) makes no context, and so a new trace.

    Args:
        form: `single` or `multi`.
    """

    trigger_headers: Final = ("b3", "x-b3-traceid")

    def __init__(self, form: Literal["single", "multi"] = "multi") -> None:
        self._is_single = form == "single"

    def inject(self, context: WavefrontSpanContext, carrier: object) -> None:
        """Write the headers; nothing of the decision when nobody has decided."""
        span_id = context.span_id_int & _SPAN_MASK
        if not context.trace_id_int or not span_id:
            return
        decision = context.get_sampling_decision()
        flag = None if decision is None else str(int(decision))
        if self._is_single:
            tail = "" if flag is None else f"-{flag}"
            put(carrier, "b3", f"{context.trace_id_int:032x}-{span_id:016x}{tail}")
            return
        put(carrier, "x-b3-traceid", f"{context.trace_id_int:032x}")
        put(carrier, "x-b3-spanid", f"{span_id:016x}")
        if flag is not None:
            put(carrier, "x-b3-sampled", flag)

    def extract(self, carrier: object) -> WavefrontSpanContext | None:
        """Return the caller's context, None when an id is missing or malformed."""
        headers = read_carrier(carrier)
        single = _SINGLE.fullmatch(headers.get("b3", "").strip()[:256])
        if single is not None:
            return _context(single[1], single[2], _DECISIONS.get((single[3] or "").lower()))
        trace_id, span_id = headers.get("x-b3-traceid", ""), headers.get("x-b3-spanid", "")
        if not _TRACE_ID.fullmatch(trace_id.strip()) or not _SPAN_ID.fullmatch(span_id.strip()):
            return None
        decision = _DECISIONS.get(headers.get("x-b3-sampled", "").strip().lower())
        if headers.get("x-b3-flags", "").strip() == "1":
            decision = True  # debug
        return _context(trace_id, span_id, decision)


def _context(trace_id: str, span_id: str, decision: bool | None) -> WavefrontSpanContext | None:
    trace, span = int(trace_id, 16), int(span_id, 16)
    return WavefrontSpanContext(trace, span, None, decision) if trace and span else None
