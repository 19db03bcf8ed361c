"""What every propagator is, and how carriers are read and written."""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import opentracing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wf_instrument.tracing.span_context import WavefrontSpanContext

__all__ = ["MAX_BAGGAGE_BYTES", "MAX_BAGGAGE_ITEMS", "Propagator", "put", "read_carrier"]

#: Bounds on what a stranger can make us carry.
#: Source: W3C Baggage, "Limits" (64 entries, 8192 bytes).
MAX_BAGGAGE_ITEMS: Final = 64
MAX_BAGGAGE_BYTES: Final = 8192


class Propagator(Protocol):
    """Writes a context into a carrier and reads it back.

    A propagator may have an attribute `trigger_headers`: names, in lower case, one of which is in
    every carrier that holds a context; without it, requests are not searched for its headers.
    """

    def inject(self, context: WavefrontSpanContext, carrier: object) -> None:
        """Write the context's headers into `carrier`, a mapping or a list of pairs."""

    def extract(self, carrier: object) -> WavefrontSpanContext | None:
        """Return the context in `carrier`; None when there is none or it is malformed."""


def read_carrier(carrier: Any) -> dict[str, str]:
    """Return a carrier's headers, names in lower case.

    Repeated ones are joined by commas, as WSGI servers do: lists become whole, and of two ids
    nobody can tell which is right, so they are no valid id any more. Bytes are read as Latin-1;
    what is neither text nor bytes is left out.

    Source:
        RFC 9110, section 5.2, "Field Lines and Combined Field Value".
    """
    pairs: Iterable[Any] = carrier.items() if hasattr(carrier, "items") else carrier
    headers: dict[str, str] = {}
    for name, value in pairs:
        if isinstance(name, bytes):
            name = name.decode("latin-1")
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        if isinstance(name, str) and isinstance(value, str):
            key = name.lower()
            known = headers.get(key)
            headers[key] = value if known is None else f"{known},{value}"
    return headers


def put(carrier: Any, name: str, value: str) -> None:
    """Write one header into a mapping or a list of pairs, in place of one of the same name.

    Raises:
        opentracing.InvalidCarrierException: The carrier takes no headers.
    """
    try:
        if isinstance(carrier, MutableSequence):
            carrier[:] = [pair for pair in carrier if str(pair[0]).lower() != name]
            carrier.append((name, value))
        else:
            if type(carrier) is dict:
                # As frameworks spell names of headers an application may copy. Both would be sent,
                # and of two ids neither is valid.
                carrier.pop(name.title(), None)
            # Not by `append` where there is one: header classes of frameworks have it too.
            carrier[name] = value
    except (AttributeError, LookupError, TypeError, ValueError) as exc:
        raise opentracing.InvalidCarrierException(
            f"cannot write {name!r} into {type(carrier).__name__}; give a dict or a list of pairs"
        ) from exc
