"""Instrumenting what `get_wsgi_application()` and `get_asgi_application()` return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wf_instrument.automatic import gives_way
from wf_instrument.errors import MissingExtraError
from wf_instrument.telemetry import telemetry_for

try:
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler
except ImportError as exc:
    raise MissingExtraError(
        "instrumenting Django needs the package 'django', which is not installed; "
        "run: pip install 'wf-instrument[django]'",
        name="django",
    ) from exc

from .._given import require  # noqa: TID252 - siblings are imported relatively
from ._handler import HandlerInstrumentation
from ._routes import endpoint_of, route_names
from ._settings import SettingsRecording, django_options

if TYPE_CHECKING:
    from wf_instrument.identity import ApplicationTags

__all__ = ["BY_SETTINGS", "HANDLERS", "instrument_app", "is_application", "uninstrument_app"]

#: What serves requests of a server.
HANDLERS: Final = (ASGIHandler, WSGIHandler)

_WANTED: Final = (
    "a Django application; give what get_wsgi_application() or get_asgi_application() returned"
)

#: What handlers without arguments of their own record with.
BY_SETTINGS: Final = SettingsRecording()


def instrument_app(
    application: Any,
    *,
    application_tags: ApplicationTags | None = None,
    **settings: object,
) -> Any:
    """Instrument a Django application; every request is recorded from then on.

    Args:
        application: What `get_wsgi_application()` or `get_asgi_application()` returned;
            instrumenting it again does nothing.
        application_tags: Its tags, in place of the settings application, service, cluster, shard.
        settings: Any setting of `wf_instrument.Settings`, before those of `WF_INSTRUMENT` in the
            settings of Django; `reporter` takes URLs or reporters.

    Returns:
        The same application.

    Raises:
        ConfigError: It is no handler of Django, or a setting is wrong.
    """
    require(application, HANDLERS, _WANTED)
    if gives_way(application):
        uninstrument_app(application)
    if HandlerInstrumentation.is_on(application):
        return application
    if not settings and application_tags is None:
        telemetry, recorder = BY_SETTINGS.get()
    else:
        options = {**django_options(), **settings}
        tags = options.pop("application_tags", None)
        telemetry = telemetry_for(options, application_tags or tags)
        recorder = telemetry.recorder("django", route_names, endpoint_of)
    if telemetry.settings.enabled:
        for handler in _handlers_in(application):
            if not HandlerInstrumentation.is_on(handler):
                HandlerInstrumentation(handler, recorder, telemetry)
    return application


def is_application(app: object) -> bool:
    """Return whether an object is what `instrument_app` takes."""
    return isinstance(app, HANDLERS)


def uninstrument_app(application: Any) -> Any:
    """Record no further request of the application and return it; harmless when called again."""
    for handler in _handlers_in(application):
        HandlerInstrumentation.undo(handler)
    return application


def _handlers_in(application: Any) -> list[Any]:
    """Return the handler, and the one that a handler of static files stands around."""
    found = []
    while isinstance(application, HANDLERS):
        found.append(application)
        application = getattr(application, "application", None)
    return found
