"""How Starlette applications, and those of frameworks built on it, are wrapped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware

from wf_instrument.speed import replace
from wf_instrument.telemetry import Telemetry, telemetry_for

from ._asgi_layer import AsgiLayer, TaskMeter
from ._starlette_routes import RouteFinder, endpoint_of, route_names, watch_routes
from ._worker_threads import meter_worker_threads

if TYPE_CHECKING:
    from wf_instrument.identity import ApplicationTags
    from wf_instrument.web.asgi import AsgiApplication, Receive, Scope, Send

__all__ = ["StackInstrumentation", "StarletteMiddleware"]

_ATTRIBUTE: Final = "_wf_instrument"


class StackInstrumentation:
    """The instrumentation of one application: around and inside its stack of middlewares.

    Args:
        app: The application.
        telemetry: Where requests are recorded.
        framework: Prefix of metric names.
        route_classes: Further classes of routes with a `handle` of their own.
    """

    def __init__(
        self,
        app: Any,
        telemetry: Telemetry,
        framework: str,
        *route_classes: type[Any],
    ) -> None:
        watch_routes(*route_classes)
        meter_worker_threads()
        self._app = app
        self._build = app.build_middleware_stack
        self._recorder = telemetry.recorder(framework, route_names, endpoint_of)
        self._telemetry = telemetry
        self._find_route = RouteFinder()
        app.build_middleware_stack = self._build_wrapped
        if app.middleware_stack is not None:
            # It serves already: what it built stays, only without a meter inside.
            app.middleware_stack = self._around(app.middleware_stack)
        setattr(app, _ATTRIBUTE, self)

    @staticmethod
    def is_on(app: Any) -> bool:
        """Return whether an application is instrumented."""
        return hasattr(app, _ATTRIBUTE)

    @staticmethod
    def undo(app: Any) -> None:
        """Leave an application as it was found."""
        if vars(app).pop(_ATTRIBUTE, None) is None:
            return
        vars(app).pop("build_middleware_stack", None)
        stack = app.middleware_stack
        if isinstance(stack, _Outermost):
            app.middleware_stack = stack.layer.app

    def _build_wrapped(self) -> AsgiApplication:
        # Only a middleware can have moved the request into a task of its own.
        middlewares = self._app.user_middleware
        meter = Middleware(TaskMeter)
        if middlewares:
            middlewares.append(meter)
        try:
            stack = self._build()
        finally:
            if meter in middlewares:
                middlewares.remove(meter)
        return self._around(stack)

    def _around(self, stack: AsgiApplication) -> _Outermost:
        layer = AsgiLayer(stack, self._telemetry, self._recorder, self._find_route)
        return _Outermost(layer, stack)


class _Outermost(ServerErrorMiddleware):
    """The wrapped stack, of the type of a stack that is not: only that is passed through.

    OpenTelemetry's instrumentation of FastAPI records nothing unless it is given that type, whose
    attributes it takes.
    """

    def __init__(self, layer: AsgiLayer, stack: Any) -> None:
        super().__init__(
            layer,
            handler=getattr(stack, "handler", None),
            debug=getattr(stack, "debug", False),
        )
        self.layer = layer

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        # Awaited by Starlette itself, so what serves need not be a coroutine.
        return self.layer(scope, receive, send)


def _serve_shortly(stack: _Outermost, scope: Scope, receive: Receive, send: Send) -> Any:
    """Serve as `_Outermost.__call__`, an ordinary request by short cuts."""
    if scope["type"] == "http":
        serving = stack.layer.asgi_serve(scope, receive, send)
        if serving is not None:
            return serving
    return stack.layer(scope, receive, send)


replace(_Outermost, "__call__", _serve_shortly)


class StarletteMiddleware(AsgiLayer):
    """Records the requests of the application it is in; `framework` says whose names they get."""

    framework: ClassVar[str]
    route_classes: ClassVar[tuple[type[Any], ...]] = ()

    def __init__(
        self,
        app: AsgiApplication,
        *,
        application_tags: ApplicationTags | None = None,
        **settings: object,
    ) -> None:
        telemetry = telemetry_for(settings, application_tags)
        recorder = None
        if telemetry.settings.enabled:
            watch_routes(*self.route_classes)
            meter_worker_threads()
            recorder = telemetry.recorder(self.framework, route_names, endpoint_of)
        super().__init__(app, telemetry, recorder, RouteFinder())
