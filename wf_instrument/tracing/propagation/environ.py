"""The caller's context, out of a WSGI environ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from wf_instrument.tracing.span_context import WavefrontSpanContext
    from wf_instrument.tracing.tracer import WavefrontTracer

__all__ = ["WSGI_CARRIER_KEYS", "context_from_environ"]

#: One of these is in the environ of every request that carries a context.
WSGI_CARRIER_KEYS: Final = ("HTTP_TRACEPARENT", "HTTP_WF_OT_TRACEID")


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
