"""Litestar: `instrument_app(app)`.

The handler of its connections is wrapped, middlewares and error pages inside. Litestar answers
lifespans by itself, so that reporting begins and ends in hooks of the application.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wf_instrument.automatic import gives_way
from wf_instrument.errors import MissingExtraError
from wf_instrument.telemetry import telemetry_for

try:
    import litestar
except ImportError as exc:
    raise MissingExtraError(
        "instrumenting Litestar needs the package 'litestar', which is not installed; "
        "run: pip install 'wf-instrument[litestar]'",
        name="litestar",
    ) from exc

from ._asgi_layer import AsgiLayer
from ._given import require
from ._litestar_routes import RouteFinder, endpoint_of, route_names
from ._litestar_tasks import meter_litestar_tasks

if TYPE_CHECKING:
    from wf_instrument.identity import ApplicationTags
    from wf_instrument.telemetry import Telemetry

__all__ = ["instrument_app", "is_application", "uninstrument_app"]

#: What `wf-instrument run` instruments when it is made.
APPLICATION_CLASSES: Final = (litestar.Litestar,)


def instrument_app(
    app: litestar.Litestar,
    *,
    application_tags: ApplicationTags | None = None,
    **settings: object,
) -> litestar.Litestar:
    """Instrument a Litestar application; every request is recorded from then on.

    Args:
        app: The application; instrumenting it again does nothing.
        application_tags: Its tags, in place of the settings application, service, cluster, shard.
        settings: Any setting of `wf_instrument.Settings`; `reporter` takes URLs or reporters.

    Returns:
        The same application.

    Raises:
        ConfigError: It is no such application, or a setting is wrong.
    """
    require(
        app, litestar.Litestar, "an application of Litestar; give the `litestar.Litestar` itself"
    )
    if gives_way(app):
        uninstrument_app(app)
    if _hooks(app) is None:
        telemetry = telemetry_for(settings, application_tags)
        if telemetry.settings.enabled:
            _wrap(app, telemetry)
    return app


def is_application(app: object) -> bool:
    """Return whether an object is what `instrument_app` takes."""
    return isinstance(app, litestar.Litestar)


def uninstrument_app(app: litestar.Litestar) -> litestar.Litestar:
    """Record no further request of the application and return it; harmless when called again."""
    hooks = _hooks(app)
    if hooks is not None:
        app.on_startup.remove(hooks.begin)
        app.on_shutdown.remove(hooks.deliver)
        within: Any = hooks.layer.app
        if app.asgi_handler is hooks.handler:
            app.asgi_handler = within
        else:
            # Somebody wrapped it further.
            hooks.layer.is_on = False
    return app


def _wrap(app: litestar.Litestar, telemetry: Telemetry) -> None:
    meter_litestar_tasks()
    find_route = RouteFinder(app)
    handler: Any = app.asgi_handler
    recorder = telemetry.recorder("litestar", route_names, endpoint_of)
    layer: Any = AsgiLayer(handler, telemetry, recorder, find_route, find_route.mount_of)
    app.asgi_handler = layer
    hooks = _Hooks(layer)
    app.on_startup.append(hooks.begin)
    app.on_shutdown.append(hooks.deliver)


class _Hooks:
    """What Litestar calls as it starts and ends; also how an application is known to be ours."""

    def __init__(self, layer: AsgiLayer) -> None:
        self.layer = layer
        self.handler: Any = layer

    def begin(self) -> None:
        """Start the reporting."""
        self.layer.begin()

    async def deliver(self) -> None:
        """Deliver what was recorded; the last of the hooks."""
        await self.layer.deliver()


def _hooks(app: litestar.Litestar) -> _Hooks | None:
    # Its class has slots: nothing can be noted on the application itself.
    for hook in app.on_startup:
        owner = getattr(hook, "__self__", None)
        if isinstance(owner, _Hooks):
            return owner
    return None
