"""httpx: `install()` records each request of its clients, sync and async, redirects one by one.

A call lasts until the headers of the response are there.
"""

from __future__ import annotations

from typing import Any

from wf_instrument.errors import MissingExtraError
from wf_instrument.guard import guard
from wf_instrument.outgoing import OutgoingCall, begin_call

try:
    import httpx
except ImportError as exc:
    raise MissingExtraError(
        "recording calls by httpx needs the package 'httpx', which is not installed; "
        "run: pip install httpx",
        name="httpx",
    ) from exc

from ._client import unwrap_method, wrap_method

__all__ = ["install", "uninstall"]


def install() -> None:
    """Record every request that is sent from now on; harmless when called again."""
    wrap_method(httpx.HTTPTransport, "handle_request", _recording)
    wrap_method(httpx.AsyncHTTPTransport, "handle_async_request", _recording_async)


def uninstall() -> None:
    """Record nothing any more; harmless when called again."""
    unwrap_method(httpx.HTTPTransport, "handle_request")
    unwrap_method(httpx.AsyncHTTPTransport, "handle_async_request")


def _begun(request: Any) -> OutgoingCall | None:
    call = None
    with guard("httpx.begin"):
        url = request.url
        path = url.raw_path.decode("ascii", "replace")
        call = begin_call("httpx", request.method, url.scheme, url.host, url.port, path)
        if call is not None:
            call.inject(request.headers)
    return call


def _recording(handle: Any) -> Any:
    def recorded(self: Any, request: Any) -> Any:
        call = _begun(request)
        if call is None:
            return handle(self, request)
        try:
            response = handle(self, request)
        except BaseException as error:
            call.failed(error)
            raise
        call.answered(response.status_code)
        return response

    return recorded


def _recording_async(handle: Any) -> Any:
    async def recorded(self: Any, request: Any) -> Any:
        call = _begun(request)
        if call is None:
            return await handle(self, request)
        try:
            response = await handle(self, request)
        except BaseException as error:
            call.failed(error)
            raise
        call.answered(response.status_code)
        return response

    return recorded
