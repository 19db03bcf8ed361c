"""What every propagator is, and how carriers are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from wf_instrument.tracing.span_context import WavefrontSpanContext

__all__ = ["MAX_BAGGAGE_BYTES", "MAX_BAGGAGE_ITEMS", "Propagator", "put", "read_carrier"]

#: Bounds on what a stranger can make us carry.
#: Source: W3C Baggage, "Limits" (64 entries, 8192 bytes).
MAX_BAGGAGE_ITEMS: Final = 64
MAX_BAGGAGE_BYTES: Final = 8192


class Propagator(Protocol):
    """Writes a context into a carrier and reads it back."""

    def inject(self, context: WavefrontSpanContext, carrier: object) -> None:
        """Write the context's headers into `carrier`, a mapping or a list of pairs."""

    def extract(self, carrier: object) -> WavefrontSpanContext | None:
        """Return the context in `carrier`; None when there is none or it is malformed."""


def read_carrier(carrier: Any) -> dict[str, str]:  # noqa: ANN401 - dict-like or pairs
    """Return a carrier's headers, names in lower case; of a repeated one the first.

    What is no text is left out.
    """
    pairs: Iterable[Any] = carrier.items() if isinstance(carrier, Mapping) or hasattr(
        carrier, "items"
    ) else carrier
    headers: dict[str, str] = {}
    for name, value in pairs:
        if isinstance(name, str) and isinstance(value, str):
            headers.setdefault(name.lower(), value)
    return headers


def put(carrier: Any, name: str, value: str) -> None:  # noqa: ANN401 - dict-like or pairs
    """Write one header into a mapping or a list of pairs."""
    if hasattr(carrier, "append"):
        carrier.append((name, value))
    else:
        carrier[name] = value
