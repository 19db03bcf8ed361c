"""`wavefront_opentracing_sdk.tracer`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wf_instrument.tracing import WavefrontTracer

if TYPE_CHECKING:
    from uuid import UUID

__all__ = ["WavefrontTracer", "get_least_significant_bits", "get_most_significant_bits"]

_HALF: Final = (1 << 64) - 1
_SIGN: Final = 1 << 63


def get_least_significant_bits(uuid_val: UUID) -> int:
    """Return the low half of a UUID as a signed number of 64 bits."""
    return _signed(uuid_val.int & _HALF)


def get_most_significant_bits(uuid_val: UUID) -> int:
    """Return the high half of a UUID as a signed number of 64 bits."""
    return _signed(uuid_val.int >> 64)


def _signed(half: int) -> int:
    return half - (1 << 64) if half & _SIGN else half
