"""The caller's context, out of a WSGI environ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wf_instrument.tracing.span_context import WavefrontSpanContext
    from wf_instrument.tracing.tracer import WavefrontTracer

__all__ = ["context_from_environ", "environ_keys"]


def environ_keys(headers: Iterable[str]) -> tuple[str, ...]:
    """Return what headers are called in an environ. Source: PEP 3333, "environ Variables"."""
    return tuple(f"HTTP_{name.upper().replace('-', '_')}" for name in headers)


def context_from_environ(
    tracer: WavefrontTracer, environ: dict[str, Any]
) -> WavefrontSpanContext | None:
    """Return the caller's context, None when it sent none that is valid."""
    headers = {
        key[5:].replace("_", "-").lower(): value
        for key, value in environ.items()
        if key.startswith("HTTP_")
    }
    return tracer.extract_headers(headers)
