"""W3C Trace Context and Baggage: `traceparent`, `tracestate` and `baggage`."""

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
_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
#: Source: RFC 9110, section 5.6.2, "Tokens".
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]+")
_SPAN_MASK: Final = (1 << 64) - 1
#: Source: W3C Trace Context, "tracestate Limits" and "tracestate Header Field Values".
_MAX_STATE_CHARS: Final = 512
_MAX_STATE_MEMBERS: Final = 32


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
    """Reads and writes `traceparent`, `tracestate` and `baggage`."""

    trigger_headers: Final = ("traceparent",)

    def inject(self, context: WavefrontSpanContext, carrier: object) -> None:
        """Write the headers; an undecided trace counts as sampled."""
        span_id = context.span_id_int & _SPAN_MASK
        if context.trace_id_int and span_id:
            flags = "00" if context.get_sampling_decision() is False else "01"
            put(carrier, "traceparent", f"00-{context.trace_id_int:032x}-{span_id:016x}-{flags}")
            if context.tracestate:
                put(carrier, "tracestate", context.tracestate)
        baggage = _format_baggage(context.baggage)
        if baggage:
            put(carrier, "baggage", baggage)

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
        tracestate = _bounded_state(headers.get("tracestate", ""))
        if not baggage and not tracestate:
            return context
        return WavefrontSpanContext(
            context.trace_id_int,
            context.span_id_int,
            baggage,
            context.get_sampling_decision(),
            tracestate=tracestate,
        )


def _bounded_state(header: str) -> str:
    """Return the first members of a `tracestate`, unread, as many as must be passed on."""
    # What is no header text must not get into our own requests.
    if not header or len(header) > MAX_BAGGAGE_BYTES or not _PRINTABLE.fullmatch(header):
        return ""
    members = [member.strip() for member in header.split(",") if member.strip()]
    kept: list[str] = []
    size = -1
    for member in members[:_MAX_STATE_MEMBERS]:
        size += len(member) + 1
        if size > _MAX_STATE_CHARS:
            break
        kept.append(member)
    return ",".join(kept)


def _format_baggage(baggage: dict[str, str]) -> str:
    """Return a `baggage` header within the bounds; keys that no header can hold are left out."""
    items: list[str] = []
    size = -1
    for key, value in baggage.items():
        # Lone surrogates cannot be encoded; a question mark can.
        item = f"{key}={quote(str(value), safe='', errors='replace')}"
        if not isinstance(key, str) or not _TOKEN.fullmatch(key):
            continue
        size += len(item) + 1
        if size > MAX_BAGGAGE_BYTES or len(items) >= MAX_BAGGAGE_ITEMS:
            break
        items.append(item)
    return ",".join(items)


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
