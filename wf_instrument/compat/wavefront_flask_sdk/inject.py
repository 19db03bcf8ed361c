"""`wavefront_flask_sdk.inject`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from wf_instrument.tracing import WavefrontSpan, WavefrontTracer

__all__ = ["inject_as_headers"]

#: Source: OpenTracing, `Format.HTTP_HEADERS`.
_HTTP_HEADERS: Final = "http_headers"


class HeaderedRequest(Protocol):
    """A request that can be given headers, of `urllib.request` for example."""

    def add_header(self, key: str, value: str) -> object:
        """Set a header."""


def inject_as_headers(
    tracer: WavefrontTracer, span: WavefrontSpan, request: HeaderedRequest
) -> None:
    """Write the context of a span into the headers of a request that is about to be sent."""
    carrier: dict[str, str] = {}
    tracer.inject(span.context, _HTTP_HEADERS, carrier)
    for key, value in carrier.items():
        request.add_header(key, value)
