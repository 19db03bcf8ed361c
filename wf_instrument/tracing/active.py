"""Which span is current: one context variable, followed by threads, tasks and greenlets."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wf_instrument.tracing.span import WavefrontSpan

__all__ = ["ACTIVE"]

ACTIVE: Final[ContextVar[WavefrontSpan | None]] = ContextVar("wf_instrument.span", default=None)
