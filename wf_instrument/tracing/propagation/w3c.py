"""W3C Trace Context and Baggage: `traceparent` and `baggage`."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

from wf_instrument.errors import PropagationError
from wf_instrument.tracing.propagation.propagator import (
    MAX_BAGGAGE_BYTES,
    MAX_BAGGAGE_ITEMS,
    put,
    read_carrier,
)
from wf_instrument.tracing.span_context import WavefrontSpanContext

__all__ = ["W3CPropagator", "parse_traceparent"]

#: Version, trace id, parent id, flags; a later version may append fields.
#: Source: W3C Trace Context, "traceparent Header Field Values" and "Versioning".
_TRACEPARENT: Final = re.compile(
    r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII
)
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_SPAN_MASK: Final = (1 << 64) - 1


def parse_traceparent(header: str) -> WavefrontSpanContext:
    """Read a `traceparent` header into the context of the remote parent.

    Raises:
        PropagationError: A field is missing, not hex, of the wrong length or all zero.

    Source:
        W3C Trace Context, "traceparent Header Field Values".
    """
    match = _TRACEPARENT.fullmatch(header.strip()[:256])
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
        raise PropagationError(f"traceparent is {header[:80]!r}; expected 00-<32 hex>-<16 hex>-<2>")
    trace_id, span_id = int(match[2], 16), int(match[3], 16)
    if not trace_id or not span_id:
        raise PropagationError(f"traceparent is {header[:80]!r}; an id is all zero")
    return WavefrontSpanContext(trace_id, span_id, None, bool(int(match[4], 16) & 1))


class W3CPropagator:
    """Reads and writes `traceparent` and `baggage`."""

    def inject(self, context: WavefrontSpanContext, carrier: object) -> None:
        """Write both headers; an undecided trace counts as sampled."""
        flags = "00" if context.get_sampling_decision() is False else "01"
        span_id = context.span_id_int & _SPAN_MASK
        put(carrier, "traceparent", f"00-{context.trace_id_int:032x}-{span_id:016x}-{flags}")
        items = [
            f"{key}={quote(value, safe='')}"
            for key, value in context.baggage.items()
            if _TOKEN.fullmatch(key)
        ]
        if items:
            put(carrier, "baggage", ",".join(items[:MAX_BAGGAGE_ITEMS]))

    def extract(self, carrier: object) -> WavefrontSpanContext | None:
        """Return the caller's context, None without a valid `traceparent`."""
        headers = read_carrier(carrier)
        header = headers.get("traceparent")
        if header is None:
            return None
        try:
            context = parse_traceparent(header)
        except PropagationError:
            return None
        baggage = _parse_baggage(headers.get("baggage", ""))
        if not baggage:
            return context
        return WavefrontSpanContext(
            context.trace_id_int, context.span_id_int, baggage, context.get_sampling_decision()
        )


def _parse_baggage(header: str) -> dict[str, str]:
    """Return the items of a `baggage` header; malformed ones, and too much, are left out."""
    if len(header) > MAX_BAGGAGE_BYTES:
        return {}
    items: dict[str, str] = {}
    for member in header.split(",")[:MAX_BAGGAGE_ITEMS]:
        key, sign, value = member.partition(";")[0].partition("=")
        if sign and _TOKEN.fullmatch(key.strip()):
            items[key.strip()] = unquote(value.strip())
    return items
