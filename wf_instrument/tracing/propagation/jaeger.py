"""Jaeger's header: `{trace id}:{span id}:{parent id}:{flags}`, and baggage under a prefix.

Source:
    Jaeger client libraries, "Propagation Format".
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

from wf_instrument.errors import ConfigError
from wf_instrument.tracing.propagation.propagator import (
    MAX_BAGGAGE_BYTES,
    MAX_BAGGAGE_ITEMS,
    put,
    read_carrier,
)
from wf_instrument.tracing.span_context import WavefrontSpanContext

__all__ = ["JaegerPropagator"]

#: Trace id of up to 128 bits, span and parent id of up to 64, flags of up to 8; all hex.
_HEADER: Final = re.compile(
    r"([0-9a-fA-F]{1,32}):([0-9a-fA-F]{1,16}):([0-9a-fA-F]{1,16}):([0-9a-fA-F]{1,2})"
)
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SPAN_MASK: Final = (1 << 64) - 1
_SAMPLED: Final = 1
#: Jaeger's debug flag, which forces sampling.
_DEBUG: Final = 2


class JaegerPropagator:
    """Reads and writes one header with the ids, and one for each baggage item.

    Args:
        trace_id_header: Name of the header with the ids.
        baggage_prefix: What the names of baggage headers begin with.

    Attributes:
        trigger_headers: The header with the ids.

    Raises:
        ConfigError: One of them cannot stand in a header's name.
    """

    def __init__(
        self, trace_id_header: str = "uber-trace-id", baggage_prefix: str = "uberctx-"
    ) -> None:
        for name, text in (("header", trace_id_header), ("baggage prefix", baggage_prefix)):
            if not _TOKEN.fullmatch(text):
                raise ConfigError(f"Jaeger {name} {text!r} is no header name; give letters and '-'")
        self._header = trace_id_header.lower()
        self._prefix = baggage_prefix.lower()
        self.trigger_headers = (self._header,)

    def inject(self, context: WavefrontSpanContext, carrier: object) -> None:
        """Write the headers; an undecided trace counts as sampled.

        The parent's id, which a context does not know, is 0, as Jaeger's own clients write.
        """
        span_id = context.span_id_int & _SPAN_MASK
        if context.trace_id_int and span_id:
            flags = 0 if context.get_sampling_decision() is False else _SAMPLED
            put(carrier, self._header, f"{context.trace_id_int:x}:{span_id:x}:0:{flags:x}")
        size = 0
        for number, (key, value) in enumerate(context.baggage.items()):
            text = quote(str(value), safe="", errors="replace")
            size += len(self._prefix) + len(str(key)) + len(text)
            if size > MAX_BAGGAGE_BYTES or number >= MAX_BAGGAGE_ITEMS:
                break
            if isinstance(key, str) and _TOKEN.fullmatch(key):
                put(carrier, self._prefix + key, text)

    def extract(self, carrier: object) -> WavefrontSpanContext | None:
        """Return the caller's context, None when the header is missing or malformed."""
        headers = read_carrier(carrier)
        # Some clients encode the colons.
        match = _HEADER.fullmatch(unquote(headers.get(self._header, "")[:256]).strip())
        if match is None:
            return None
        trace_id, span_id, flags = int(match[1], 16), int(match[2], 16), int(match[4], 16)
        if not trace_id or not span_id:
            return None
        return WavefrontSpanContext(
            trace_id, span_id, self._baggage(headers), bool(flags & (_SAMPLED | _DEBUG))
        )

    def _baggage(self, headers: dict[str, str]) -> dict[str, str]:
        items: dict[str, str] = {}
        size = 0
        for name, value in headers.items():
            if not name.startswith(self._prefix) or name == self._header:
                continue
            size += len(name) + len(value)
            if size > MAX_BAGGAGE_BYTES or len(items) >= MAX_BAGGAGE_ITEMS:
                break
            items[name.removeprefix(self._prefix)] = unquote(value)
        return items
