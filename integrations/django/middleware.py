"""`TelemetryMiddleware` for the setting `MIDDLEWARE`; `WF_INSTRUMENT` holds its settings.

Django makes its middlewares with the handler they belong to. This one has that handler wrapped,
exactly as `instrument_app` does, and steps out of the way: it costs nothing and may stand
anywhere in the list. Only where there is no handler of a server, as with Django's test client,
it records requests itself.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import MiddlewareNotUsed
from django.core.handlers.base import BaseHandler

from wf_instrument.guard import caught
from wf_instrument.tracing.active import ACTIVE
from wf_instrument.web.asgi import REQUEST_KEY
from wf_instrument.web.current import SPANLESS

from ._application import BY_SETTINGS, HANDLERS, instrument_app
from ._handler import listen_to_exceptions
from ._middleware_request import MiddlewareRequest
from ._routes import request_scope

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["TelemetryMiddleware"]


class TelemetryMiddleware:
    """Has the handler that it is made for record its requests, or records them itself.

    Args:
        get_response: The rest of the application.

    Raises:
        ConfigError: A setting of `WF_INSTRUMENT` is wrong.
        MiddlewareNotUsed: The handler records; Django then leaves this out of the chain.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        handler = _handler_being_made()
        if isinstance(handler, HANDLERS):
            instrument_app(handler)
            raise MiddlewareNotUsed("wf_instrument records around the handler")
        telemetry, self._recorder = BY_SETTINGS.get()
        if not telemetry.settings.enabled:
            raise MiddlewareNotUsed("wf_instrument is switched off")
        listen_to_exceptions()
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Return the response, or a coroutine of it where Django serves asynchronously."""
        if self._is_async:
            return self._serve_async(request)
        record = self._begin(request)
        if record is None:
            return self.get_response(request)
        variable, before = _enter(record)
        try:
            response = self.get_response(request)
        except BaseException as error:
            record.escaped(error)
            raise
        finally:
            variable.set(before)
        record.answered(response)
        return response

    async def _serve_async(self, request: Any) -> Any:
        record = self._begin(request)
        if record is None:
            return await self.get_response(request)
        variable, before = _enter(record)
        try:
            response = await self.get_response(request)
        except BaseException as error:
            record.escaped(error)
            raise
        finally:
            variable.set(before)
        record.answered(response)
        return response

    def _begin(self, request: Any) -> MiddlewareRequest | None:
        """Return the record of a request, None for one that is not to be recorded here."""
        try:
            outer = request_scope(request).get(REQUEST_KEY)
            excluded = self._recorder.excluded
            if outer is not None and not outer.is_finished:
                return None
            if excluded is not None and excluded.search(request.path_info):
                return None
            return MiddlewareRequest(self._recorder, request)
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("django.begin", error)
            return None


def _enter(record: MiddlewareRequest) -> tuple[Any, Any]:
    """Make the request the current one; return the variable, and what it was before."""
    variable: Any = SPANLESS if record.span is None else ACTIVE
    before = variable.get()
    variable.set(record if record.span is None else record.span)
    return variable, before


def _handler_being_made() -> Any:
    """Return the handler that loads its middlewares just now, None when nobody does."""
    # Django tells a middleware who comes next, never for whom it is made.
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to a caller
    while frame is not None:
        if frame.f_code.co_name == "load_middleware":
            handler = frame.f_locals.get("self")
            if isinstance(handler, BaseHandler):
                return handler
        frame = frame.f_back
    return None
