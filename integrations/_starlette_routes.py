"""Which route of Starlette or FastAPI serves a request: what its route objects tell when asked.

The routes themselves say that they handle a request, whatever version of the router chose them;
a mount or host says so too, which is how the full template of a mounted application is known.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from starlette import routing

from wf_instrument.speed import link, replace_noting
from wf_instrument.web.asgi import REQUEST_KEY

from ._mounted import MountedRoute, MountedRoutes, part_template

if TYPE_CHECKING:
    from wf_instrument.web.asgi import Scope

__all__ = ["RouteFinder", "endpoint_of", "route_names", "watch_routes"]

_WATCHED: Final = "_wf_instrument_watched"

_BRANCHES: Final = (routing.Mount, routing.Host)
#: What leads no further, told faster than by `isinstance` of what it is not.
_leaves: Final[set[type[Any]]] = {routing.Route, routing.WebSocketRoute}


def watch_routes(*classes: type[Any]) -> None:
    """Have routes of these classes, and of Starlette's own, note the requests they handle."""
    _leaves.update(kind for kind in classes if not issubclass(kind, _BRANCHES))
    own = (routing.Route, routing.WebSocketRoute, routing.Mount, routing.Host)
    for kind in (*own, *classes):
        handle = kind.__dict__.get("handle")
        if handle is not None and not hasattr(handle, _WATCHED):
            setattr(kind, "handle", _noting(handle))  # noqa: B010 - `type` has no such attribute
            replace_noting(kind, handle)


def _noting(handle: Any) -> Any:
    # Not async itself: what it returns is awaited all the same, and costs no step more.
    @functools.wraps(handle)
    def noted(self: Any, scope: Scope, receive: Any, send: Any) -> Any:
        # `in` and an index: `get` is a call of a function.
        if REQUEST_KEY in scope:
            request = scope[REQUEST_KEY]
            passed = request.mounts
            if not passed:
                request.mounts = (self,)
            elif passed[-1] is not self:
                request.mounts = (*passed, self)
        return handle(self, scope, receive, send)

    setattr(noted, _WATCHED, True)
    return noted


class RouteFinder:
    """Finds the route object of a request; of the same way the same object."""

    def __init__(self) -> None:
        self._mounted = MountedRoutes()

    def __call__(self, scope: Scope) -> object | None:
        """Return a route, or a `MountedRoute`; None while or when no route matched."""
        parts = scope[REQUEST_KEY].mounts if REQUEST_KEY in scope else ()
        if not parts:
            route = scope.get("route")
            if route is None:
                return None
            parts = (route,)
        last = parts[-1]
        fastapi = scope["fastapi"] if "fastapi" in scope else None
        if fastapi is not None:
            # An included route is known by the context of its inclusion, which has its prefix.
            context = fastapi.get("effective_route_context")
            if context is not None and context.original_route is last:
                last = context
        if type(last) not in _leaves and isinstance(last, _BRANCHES) and _is_router(last.app):
            return None  # its router found nothing
        if len(parts) == 1:
            return last  # type: ignore[no-any-return]  # a route
        return self._mounted.below(parts[:-1], last)


link(route_finder=RouteFinder, route_leaves=_leaves)


def _is_router(app: Any) -> bool:
    # Middleware of the mount hides it.
    while app is not None:
        if hasattr(app, "routes"):
            return True
        app = getattr(app, "app", None)
    return False


def route_names(route: Any) -> tuple[str, str | None, str | None]:
    """Return template, endpoint and no module."""
    parts = route.parts if isinstance(route, MountedRoute) else (route,)
    template = "".join(map(part_template, parts))
    if isinstance(parts[-1], routing.Mount):
        # Whatever is mounted answers for all below it, as Starlette itself spells that.
        template += "/{path:path}"
    return template, _endpoint_name(parts[-1]), None


def endpoint_of(route: Any) -> object | None:
    """Return the view of a route: a function or class, None of a mount."""
    last = route.parts[-1] if isinstance(route, MountedRoute) else route
    endpoint: object | None = getattr(last, "endpoint", None)
    return endpoint


def _endpoint_name(route: Any) -> str | None:
    endpoint = getattr(route, "endpoint", None)
    while isinstance(endpoint, functools.partial):
        endpoint = endpoint.func
    if endpoint is None:
        endpoint = getattr(route, "app", None)
    name = getattr(endpoint, "__name__", None) or getattr(route, "name", None)
    return name or type(endpoint).__name__
