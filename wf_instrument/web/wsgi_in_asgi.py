"""A WSGI application inside of an ASGI one, through one of the adapters that run it in a thread.

The request is the ASGI driver's: it is recorded there, once. The WSGI driver names its route, and
charges it the thread's CPU time bit by bit, since its last byte leaves before the thread is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wf_instrument.guard import caught
from wf_instrument.web.asgi import AsgiRequest
from wf_instrument.web.current import current_request
from wf_instrument.web.steps import charge_so_far, end_charge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["ChargedBody", "request_around", "serve_charged"]


def request_around(environ: dict[str, Any]) -> AsgiRequest | None:
    """Return the ASGI request that an environ was made of; None in a WSGI server. Never raises."""
    try:
        request = current_request()
        if not isinstance(request, AsgiRequest):
            return None
        # A view may also call a WSGI application of its own accord, which is another request.
        path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
        is_same = request.path().endswith(path) and request.method == environ["REQUEST_METHOD"]
    except Exception as error:  # noqa: BLE001 - the border to the application
        caught("wsgi.around", error)
        return None
    return request if is_same else None


def serve_charged(
    app: Callable[..., Iterable[bytes]],
    environ: dict[str, Any],
    start_response: Callable[..., Any],
    request: AsgiRequest,
) -> Iterable[bytes]:
    """Call a WSGI application in a thread of an ASGI request, which is charged for it."""
    if request.recorder.cpu_clock is None:
        return app(environ, start_response)
    is_first = charge_so_far(request)
    try:
        body = app(environ, start_response)
    except BaseException:
        if is_first:
            end_charge(request)
        raise
    charge_so_far(request)
    if type(body) is list or type(body) is tuple:
        if is_first:
            end_charge(request)
        return body
    return ChargedBody(body, request, is_first=is_first)


class ChargedBody:
    """A body whose chunks are charged to the request as they are made.

    Args:
        body: What the application returned.
        request: The request to charge.
        is_first: Whether nobody else charges the thread to it.
    """

    def __init__(self, body: Iterable[bytes], request: AsgiRequest, *, is_first: bool) -> None:
        self._body = body
        self._request = request
        self._is_first = is_first

    def __iter__(self) -> Iterator[bytes]:
        """Yield what the application yields."""
        try:
            for chunk in self._body:
                charge_so_far(self._request)
                yield chunk
            charge_so_far(self._request)
        finally:
            if self._is_first:
                end_charge(self._request)

    def close(self) -> None:
        """Close the application's body."""
        close = getattr(self._body, "close", None)
        if close is not None:
            close()
