"""FastAPI: `instrument_app(app)`, and `TelemetryMiddleware` for `app.add_middleware`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wf_instrument.automatic import gives_way
from wf_instrument.errors import MissingExtraError
from wf_instrument.telemetry import telemetry_for

try:
    import fastapi.routing
except ImportError as exc:
    raise MissingExtraError(
        "instrumenting FastAPI needs the package 'fastapi', which is not installed; "
        "run: pip install 'wf-instrument[fastapi]'",
        name="fastapi",
    ) from exc

from ._given import require
from ._starlette_stack import StackInstrumentation, StarletteMiddleware

if TYPE_CHECKING:
    from wf_instrument.identity import ApplicationTags

__all__ = ["TelemetryMiddleware", "instrument_app", "is_application", "uninstrument_app"]

#: What `wf-instrument run` instruments when it is made.
APPLICATION_CLASSES: Final = (fastapi.FastAPI,)

_ROUTE_CLASSES = (fastapi.routing.APIRoute, fastapi.routing.APIWebSocketRoute)


def instrument_app(
    app: fastapi.FastAPI,
    *,
    application_tags: ApplicationTags | None = None,
    **settings: object,
) -> Any:
    """Instrument a FastAPI application; every request is recorded from then on.

    Args:
        app: The application; instrumenting it again does nothing.
        application_tags: Its tags, in place of the settings application, service, cluster, shard.
        settings: Any setting of `wf_instrument.Settings`; `reporter` takes URLs or reporters.

    Returns:
        The same application.

    Raises:
        ConfigError: It is no such application, or a setting is wrong.
    """
    require(app, fastapi.FastAPI, "an application of FastAPI; give the `fastapi.FastAPI` itself")
    if gives_way(app):
        uninstrument_app(app)
    if not StackInstrumentation.is_on(app):
        telemetry = telemetry_for(settings, application_tags)
        if telemetry.settings.enabled:
            StackInstrumentation(app, telemetry, "fastapi", *_ROUTE_CLASSES)
    return app


def is_application(app: object) -> bool:
    """Return whether an object is what `instrument_app` takes."""
    return isinstance(app, fastapi.FastAPI)


def uninstrument_app(app: fastapi.FastAPI) -> Any:
    """Leave the application as it was found and return it; harmless when called again."""
    StackInstrumentation.undo(app)
    return app


class TelemetryMiddleware(StarletteMiddleware):
    """For `app.add_middleware(TelemetryMiddleware, service="styles")`, or around an application.

    Error pages made outside of it count as status 500. Arguments and errors are those of
    `wf_instrument.integrations.asgi.TelemetryMiddleware`.
    """

    framework = "fastapi"
    route_classes = _ROUTE_CLASSES
