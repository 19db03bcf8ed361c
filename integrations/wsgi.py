"""Any WSGI application: `TelemetryMiddleware`, and `instrument_app` for a bare callable.

WSGI has no word for routes: requests are counted as `UNKNOWN` unless a resolver of one's own, or
an instrumented framework further in, names them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wf_instrument.telemetry import telemetry_for
from wf_instrument.web.wsgi import WsgiTelemetry

from ._route_text import SameText, text_names

if TYPE_CHECKING:
    from wf_instrument.identity import ApplicationTags
    from wf_instrument.web.wsgi import Environ, WsgiApplication

__all__ = ["TelemetryMiddleware", "instrument_app", "uninstrument_app"]

RouteOf = Callable[[dict[str, Any]], "str | None"]


class TelemetryMiddleware(WsgiTelemetry):
    """A WSGI application that records the requests of another one.

    Args:
        app: The application to see.
        route_of: Called with the environ when the response begins; returns the route template,
            None where there is none.
        application_tags: Its tags, in place of the settings application, service, cluster, shard.
        settings: Any setting of `wf_instrument.Settings`; `reporter` takes URLs or reporters.

    Raises:
        ConfigError: A setting is wrong.
    """

    def __init__(
        self,
        app: WsgiApplication,
        *,
        route_of: RouteOf | None = None,
        application_tags: ApplicationTags | None = None,
        **settings: object,
    ) -> None:
        # Kept, so that the end of the process finds it.
        self._telemetry = telemetry = telemetry_for(settings, application_tags)
        recorder = telemetry.recorder("wsgi", text_names)
        super().__init__(app, recorder, SameText(route_of or _no_route))
        self.is_on = telemetry.settings.enabled


def instrument_app(
    app: WsgiApplication,
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


def uninstrument_app(app: WsgiApplication) -> WsgiApplication:
    """Return the application inside a `TelemetryMiddleware`, which records nothing any more."""
    if not isinstance(app, TelemetryMiddleware):
        return app
    app.is_on = False
    return app.app


def _no_route(environ: Environ) -> str | None:
    return None
