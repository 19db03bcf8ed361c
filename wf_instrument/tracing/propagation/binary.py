"""OpenTracing's binary format: the text headers as a JSON object in a bytearray."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import opentracing

if TYPE_CHECKING:
    from wf_instrument.tracing.propagation.propagator import Propagator
    from wf_instrument.tracing.span_context import WavefrontSpanContext

__all__ = ["BinaryPropagator"]

#: Far above what the bounds on baggage and tracestate let us write.
_MAX_BYTES: Final = 65_536


class BinaryPropagator:
    """Writes what another propagator writes, as bytes.

    Args:
        headers: Writes and reads the headers.
    """

    def __init__(self, headers: Propagator) -> None:
        self._headers = headers

    def inject(self, context: WavefrontSpanContext, carrier: object) -> None:
        """Replace what is in `carrier`, a bytearray.

        Raises:
            opentracing.InvalidCarrierException: It is none.
        """
        if not isinstance(carrier, bytearray):
            raise opentracing.InvalidCarrierException(
                f"the binary format is written into a bytearray, not {type(carrier).__name__}"
            )
        headers: dict[str, str] = {}
        self._headers.inject(context, headers)
        carrier[:] = json.dumps(headers).encode()

    def extract(self, carrier: object) -> WavefrontSpanContext | None:
        """Return the context in bytes; None when there is none or they are malformed."""
        if not isinstance(carrier, (bytes, bytearray)) or len(carrier) > _MAX_BYTES:
            return None
        try:
            headers = json.loads(carrier)
        except (ValueError, RecursionError):
            return None
        return self._headers.extract(headers) if isinstance(headers, dict) else None
