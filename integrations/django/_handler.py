"""How a handler of Django is wrapped: a driver around its call, and listeners within.

`__call__` is looked up on the class, so each class of handlers is given one that asks its
instances for a driver; instances without one are served as ever.
"""

from __future__ import annotations

import functools
import sys
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import got_request_exception

from wf_instrument.guard import caught, guard
from wf_instrument.web.asgi import REQUEST_KEY
from wf_instrument.web.current import SPANLESS, current_request
from wf_instrument.web.steps import as_coroutine, stepped
from wf_instrument.web.wsgi import WsgiTelemetry

from .._asgi_layer import AsgiLayer  # noqa: TID252 - siblings are imported relatively
from ._bridges import meter_bridges
from ._routes import note_route, note_static, note_target, request_scope, route_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from wf_instrument.telemetry import Telemetry
    from wf_instrument.web.recorder import Recorder

__all__ = ["HandlerInstrumentation", "listen_to_exceptions"]

_ATTRIBUTE: Final = "_wf_instrument"
_WATCHED: Final = "_wf_instrument_watched"

#: The `__call__` that a class of handlers had.
_calls: dict[type[Any], Callable[..., Any]] = {}


class HandlerInstrumentation:
    """The instrumentation of one handler.

    Args:
        handler: A `WSGIHandler` or `ASGIHandler`.
        recorder: Where its requests are recorded.
        telemetry: The recorder's.
    """

    def __init__(self, handler: Any, recorder: Recorder, telemetry: Telemetry) -> None:
        listen_to_exceptions()
        meter_bridges()
        # Kept, so that the end of the process finds it.
        self.telemetry = telemetry
        is_async = isinstance(handler, ASGIHandler)
        #: The class whose `__call__` asks for us; those it calls by `super()` do not.
        self.owner = _watched(type(handler), is_async)
        call: Any = functools.partial(_calls[self.owner], handler)
        self.serve: Any
        if is_async:
            # Django refuses every lifespan.
            self.serve = AsgiLayer(call, telemetry, recorder, route_of, answers_lifespan=True)
        else:
            self.serve = WsgiTelemetry(call, recorder, route_of)
        self.listeners = {"resolve_request": _naming(handler.resolve_request, is_async)}
        if is_async:
            self.listeners["get_response_async"] = _answering_async(handler.get_response_async)
            self.listeners["send_response"] = _sending(handler.send_response)
        else:
            self.listeners["get_response"] = _answering(handler.get_response)
        if hasattr(handler, "base_url"):
            self.listeners["serve"] = _serving_static(handler)
        vars(handler).update(self.listeners)
        setattr(handler, _ATTRIBUTE, self)

    @staticmethod
    def is_on(handler: Any) -> bool:
        """Return whether a handler is instrumented."""
        return hasattr(handler, _ATTRIBUTE)

    @staticmethod
    def undo(handler: Any) -> None:
        """Leave a handler as it was found."""
        instrumentation = vars(handler).pop(_ATTRIBUTE, None)
        if instrumentation is None:
            return
        for name, listener in instrumentation.listeners.items():
            # Somebody may have wrapped it further; without a request it listens to nothing.
            if vars(handler).get(name) is listener:
                del vars(handler)[name]


def listen_to_exceptions() -> None:
    """Have Django tell of the exceptions it makes error pages of; harmless when called again."""
    got_request_exception.connect(_on_exception, dispatch_uid="wf_instrument")


def _on_exception(sender: object, request: Any = None, **_: object) -> None:
    if request is None:
        return  # somebody else's signal
    with guard("django.got_request_exception"):
        record = request_scope(request).get(REQUEST_KEY)
        error = sys.exc_info()[1]
        if record is not None and error is not None:
            record.fail(error)


def _watched(kind: type[Any], is_async: bool) -> type[Any]:
    """Have the class that defines how `kind` is called ask for drivers, and return it."""
    owner: type[Any] = next(one for one in kind.__mro__ if "__call__" in vars(one))
    call = vars(owner)["__call__"]
    if not hasattr(call, _WATCHED):
        # Of two threads that come here at once, both find the same call, and wrap it alike.
        _calls.setdefault(owner, call)
        asking = _asking_async(owner, call) if is_async else _asking(owner, call)
        setattr(asking, _WATCHED, True)
        setattr(owner, "__call__", asking)  # noqa: B010 - mypy refuses to assign a method
    return owner


def _asking(owner: type[Any], call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def __call__(self: Any, environ: Any, start_response: Any) -> Any:  # noqa: N807 - its name
        # `in` and an index, here and below: `get` and `vars` are calls of functions.
        attributes = self.__dict__
        if _ATTRIBUTE in attributes and attributes[_ATTRIBUTE].owner is owner:
            return attributes[_ATTRIBUTE].serve(environ, start_response)
        return call(self, environ, start_response)

    return __call__


def _asking_async(owner: type[Any], call: Callable[..., Any]) -> Callable[..., Any]:
    # A coroutine function: servers ask whether it is one.
    @functools.wraps(call)
    async def __call__(self: Any, scope: Any, receive: Any, send: Any) -> Any:  # noqa: N807 - its name
        own = vars(self).get(_ATTRIBUTE)
        if own is None or own.owner is not owner:
            return await call(self, scope, receive, send)
        return await own.serve(scope, receive, send)

    return __call__


def _naming(resolve: Callable[[Any], Any], is_async: bool) -> Callable[[Any], Any]:
    def resolve_request(request: Any) -> Any:
        match = resolve(request)
        try:
            note_route(request.scope if is_async else request.META, match)
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("django.resolve_request", error)
        return match

    return resolve_request


def _serving_static(handler: Any) -> Callable[[Any], Any]:
    serve_file = handler.serve

    def serve(request: Any) -> Any:
        with guard("django.static"):
            note_static(request, handler)
        return serve_file(request)

    return serve


def _answering(answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def get_response(request: Any) -> Any:
        record = None
        try:
            environ = request.META
            if REQUEST_KEY in environ:
                record = environ[REQUEST_KEY]
                record.is_bridged = True
                record.thread_id = get_ident()
                if not request.path.isascii():  # with the root in front
                    note_target(request, record)
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("django.get_response", error)
        if record is None or record.span is not None:
            return answer(request)
        # The driver leaves it to us to say whose request this is, where no span does.
        token = SPANLESS.set(record)
        try:
            return answer(request)
        finally:
            SPANLESS.reset(token)

    return get_response


def _answering_async(answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    async def get_response_async(request: Any) -> Any:
        record = None
        try:
            record = request.scope.get(REQUEST_KEY)
            if record is not None:
                record.is_bridged = True
                record.thread_id = get_ident()
                # Of a script name by Django's settings the server knows nothing.
                if settings.FORCE_SCRIPT_NAME:
                    note_target(request, record)
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("django.get_response", error)
        if record is None:
            return await answer(request)
        return await _metered(answer(request), record)

    return get_response_async


def _sending(send_all: Callable[..., Any]) -> Callable[..., Any]:
    async def send_response(response: Any, send: Any) -> Any:
        record = None
        with guard("django.send_response"):
            record = current_request()
        return await _metered(send_all(response, send), record)

    return send_response


async def _metered(awaitable: Any, record: Any) -> Any:
    """Await with the steps metered, unless the driver does: Django 5 answers in another task."""
    if record is None or record.is_stepping or record.recorder.cpu_clock is None:
        return await awaitable
    return await stepped(as_coroutine(awaitable), record)
