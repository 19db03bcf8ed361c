"""Any ASGI application: `TelemetryMiddleware`, and `instrument_app` for a bare callable.

Routes are named where the framework leaves its route in the scope, as Starlette and FastAPI do,
or by a resolver of one's own; other requests are counted as `UNKNOWN`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wf_instrument.telemetry import telemetry_for

from ._asgi_layer import AsgiLayer
from ._route_text import SameText, text_names

if TYPE_CHECKING:
    from wf_instrument.identity import ApplicationTags
    from wf_instrument.web.asgi import AsgiApplication, Scope

__all__ = ["TelemetryMiddleware", "instrument_app", "uninstrument_app"]

RouteOf = Callable[[Any], "str | None"]


class TelemetryMiddleware(AsgiLayer):
    """An ASGI application that records the requests of another one.

    Usable alone, `TelemetryMiddleware(app)`, and by `app.add_middleware(TelemetryMiddleware)`.

    Args:
        app: The application to see.
        route_of: Called with the scope when the response begins; returns the route template, None
            where there is none.
        application_tags: Its tags, in place of the settings application, service, cluster, shard.
        settings: Any setting of `wf_instrument.Settings`; `reporter` takes URLs or reporters.

    Raises:
        ConfigError: A setting is wrong.
    """

    def __init__(
        self,
        app: AsgiApplication,
        *,
        route_of: RouteOf | None = None,
        application_tags: ApplicationTags | None = None,
        **settings: object,
    ) -> None:
        telemetry = telemetry_for(settings, application_tags)
        enabled = telemetry.settings.enabled
        recorder = telemetry.recorder("asgi", text_names) if enabled else None
        super().__init__(app, telemetry, recorder, SameText(route_of or _route_of_scope))


def instrument_app(
    app: AsgiApplication,
    *,
    application_tags: ApplicationTags | None = None,
    **settings: Any,
) -> TelemetryMiddleware:
    """Return the application inside a `TelemetryMiddleware`; one already inside as it is.

    Raises:
        ConfigError: A setting is wrong.
    """
    if isinstance(app, TelemetryMiddleware):
        return app
    return TelemetryMiddleware(app, application_tags=application_tags, **settings)


def uninstrument_app(app: AsgiApplication) -> AsgiApplication:
    """Return the application inside a `TelemetryMiddleware`, which records nothing any more."""
    if not isinstance(app, TelemetryMiddleware):
        return app
    app.is_on = False
    return app.app


def _route_of_scope(scope: Scope) -> str | None:
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else None
