"""Quart: `instrument_app(app)`.

The ASGI callable is wrapped. Quart handles a request in a task of its own, which is metered there
and asked for the rule it resolved; exceptions are told by its signal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wf_instrument.automatic import gives_way
from wf_instrument.errors import MissingExtraError
from wf_instrument.guard import guard
from wf_instrument.telemetry import telemetry_for
from wf_instrument.web.asgi import REQUEST_KEY
from wf_instrument.web.steps import as_coroutine, stepped

try:
    import quart
except ImportError as exc:
    raise MissingExtraError(
        "instrumenting Quart needs the package 'quart', which is not installed; "
        "run: pip install 'wf-instrument[quart]'",
        name="quart",
    ) from exc

from ._asgi_layer import AsgiLayer
from ._given import require
from ._mounted import MountedRoutes
from ._quart_threads import meter_quart_threads
from ._url_rules import rule_names, views_by

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from wf_instrument.identity import ApplicationTags
    from wf_instrument.telemetry import Telemetry
    from wf_instrument.web.asgi import Scope

__all__ = ["instrument_app", "is_application", "uninstrument_app"]

#: What `wf-instrument run` instruments when it is made.
APPLICATION_CLASSES: Final = (quart.Quart,)

#: Key of `app.extensions` under which the instrumentation of an application stands.
_EXTENSION: Final = "wf_instrument"


def instrument_app(
    app: quart.Quart,
    *,
    application_tags: ApplicationTags | None = None,
    **settings: object,
) -> quart.Quart:
    """Instrument a Quart application; every request is recorded from then on.

    Args:
        app: The application; instrumenting it again does nothing.
        application_tags: Its tags, in place of the settings application, service, cluster, shard.
        settings: Any setting of `wf_instrument.Settings`; `reporter` takes URLs or reporters.

    Returns:
        The same application.

    Raises:
        ConfigError: It is no such application, or a setting is wrong.
    """
    require(app, quart.Quart, "an application of Quart; give the `quart.Quart` itself")
    if gives_way(app):
        uninstrument_app(app)
    if _EXTENSION not in app.extensions:
        telemetry = telemetry_for(settings, application_tags)
        if telemetry.settings.enabled:
            _Instrumented(app, telemetry)
    return app


def is_application(app: object) -> bool:
    """Return whether an object is what `instrument_app` takes."""
    return isinstance(app, quart.Quart)


def uninstrument_app(app: quart.Quart) -> quart.Quart:
    """Record no further request of the application and return it; harmless when called again."""
    instrumented = app.extensions.pop(_EXTENSION, None)
    if instrumented is not None:
        instrumented.undo(app)
    return app


class _Instrumented:
    """The instrumentation of one application: around it, around its handler, at its signal."""

    def __init__(self, app: quart.Quart, telemetry: Telemetry) -> None:
        meter_quart_threads()
        recorder = telemetry.recorder("quart", rule_names, views_by(app.view_functions))
        self._asgi_app = app.asgi_app
        inner: Any = app.asgi_app
        self._layer = AsgiLayer(inner, telemetry, recorder, _RuleFinder())
        self._http_class = app.asgi_http_class
        self._metered_class = _metered(app.asgi_http_class)
        app.asgi_app = self._layer  # type: ignore[method-assign, assignment]  # as Quart's docs tell
        app.asgi_http_class = self._metered_class
        self._websocket_class = app.asgi_websocket_class
        self._metered_websocket_class = _metered_websocket(app.asgi_websocket_class)
        app.asgi_websocket_class = self._metered_websocket_class
        # Signals hold receivers weakly; the extension keeps this object, and so its method.
        app.extensions[_EXTENSION] = self
        quart.got_request_exception.connect(self._on_exception, app)
        quart.got_websocket_exception.connect(self._on_websocket_exception, app)

    def undo(self, app: quart.Quart) -> None:
        """Take the layers out again, and listen no more."""
        if app.asgi_app is self._layer:
            app.asgi_app = self._asgi_app  # type: ignore[method-assign]  # as it was
        else:
            self._layer.is_on = False
        if app.asgi_http_class is self._metered_class:
            app.asgi_http_class = self._http_class
        if app.asgi_websocket_class is self._metered_websocket_class:
            app.asgi_websocket_class = self._websocket_class
        quart.got_request_exception.disconnect(self._on_exception, app)
        quart.got_websocket_exception.disconnect(self._on_websocket_exception, app)

    # Async: Quart would send a plain function to a thread.
    async def _on_exception(self, app: quart.Quart, exception: BaseException, **_: object) -> None:
        with guard("quart.got_request_exception"):
            record: Any = quart.request.scope.get(REQUEST_KEY)
            if record is not None:
                record.fail(exception)

    async def _on_websocket_exception(
        self, app: quart.Quart, exception: BaseException, **_: object
    ) -> None:
        with guard("quart.got_websocket_exception"):
            record: Any = quart.websocket.scope.get(REQUEST_KEY)
            if record is not None:
                record.fail(exception)


def _metered(connection_class: Any) -> Any:
    """Return the class of connections, whose requests are metered while Quart handles them."""

    class MeteredConnection(connection_class):  # type: ignore[misc]  # whatever the application has
        async def handle_request(self, request: Any, send: Any) -> None:
            """Handle a request and send its response, in the task that is made for it."""
            record: Any = request.scope.get(REQUEST_KEY)
            await _handled(super().handle_request(request, send), record, request)

        async def _send_response(self, send: Any, response: Any) -> None:
            # With a timeout: before Python 3.12, asyncio makes one more task for that.
            record: Any = self.scope.get(REQUEST_KEY)
            sent = super()._send_response(send, response)
            if record is None or record.is_stepping or record.recorder.cpu_clock is None:
                await sent
            else:
                await stepped(as_coroutine(sent), record)

    return MeteredConnection


def _metered_websocket(connection_class: Any) -> Any:
    """As `_metered`, of WebSockets."""

    class MeteredWebSocket(connection_class):  # type: ignore[misc]  # as above
        async def handle_websocket(self, websocket: Any, send: Any) -> None:
            """Handle a connection to its end, in the task that is made for it."""
            record: Any = websocket.scope.get(REQUEST_KEY)
            await _handled(super().handle_websocket(websocket, send), record, websocket)

    return MeteredWebSocket


async def _handled(handled: Coroutine[Any, Any, None], record: Any, served: Any) -> None:
    """Await what Quart does for a request or WebSocket, metered, its rule known to the record."""
    if record is None or record.is_finished:
        await handled
        return
    record.served = served
    try:
        if record.recorder.cpu_clock is None:
            await handled
        else:
            await stepped(as_coroutine(handled), record)
    finally:
        with guard("quart.handled"):
            if record.handle is None:
                record.handle = record.resolve_handle()
            # The span keeps the record until the next drain; the request need not wait.
            record.served = None


class _RuleFinder:
    """Finds the rule of a request, with the mounts of outer frameworks that lead to it."""

    def __init__(self) -> None:
        self._mounted = MountedRoutes()

    def __call__(self, scope: Scope) -> object | None:
        """Return a rule or a `MountedRoute`; None while or when no rule matched."""
        record = scope.get(REQUEST_KEY)
        if record is None or record.served is None:
            return None
        rule: object | None = record.served.url_rule
        if rule is None or not record.mounts:
            return rule
        return self._mounted.below(record.mounts, rule)
