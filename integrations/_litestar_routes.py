"""Which route of Litestar serves a request: what its router left in the scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wf_instrument.web.asgi import REQUEST_KEY

from ._mounted import MountedRoute, MountedRoutes, part_template

if TYPE_CHECKING:
    from wf_instrument.web.asgi import Scope

__all__ = ["RouteFinder", "endpoint_of", "route_names"]


class _Handled:
    """A path and the handler that serves it.

    Attributes:
        path: The template as it was declared.
        handler: Litestar's handler.
    """

    __slots__ = ("handler", "path")

    def __init__(self, path: str, handler: Any) -> None:
        self.path = path
        self.handler = handler


class RouteFinder:
    """Finds the route of a request of one application; of the same route the same object."""

    def __init__(self, app: Any) -> None:
        self._app = app
        # They keep the handlers alive, and so their ids their own.
        self._known: dict[tuple[int, str], _Handled] = {}
        self._mounted = MountedRoutes()

    def __call__(self, scope: Scope) -> object | None:
        """Return a route, or a `MountedRoute`; None while or when no route matched."""
        handler = scope.get("route_handler")
        if handler is None:
            return None
        request = scope.get(REQUEST_KEY)
        mounts = () if request is None else request.mounts
        app = _application(scope, self._app)
        if app is not self._app:
            # One mounted in ours, which wrote over what our router had left.
            mount = self._mount(None, request)
            if mount is not None:
                mounts = (*mounts, self._handled(mount.path.rstrip("/"), mount.route_handler))
        if _is_mount(handler):
            mount = self._mount(handler, request) if app is self._app else None
            path = "" if mount is None else mount.path.rstrip("/")
            # The router has no template of these; spelled as Starlette spells its own.
            route = self._handled(path + "/{path:path}", handler)
        else:
            template = scope.get("path_template", "")
            known = self._known.get((id(handler), template))
            route = known or self._declared(app, handler, template)
        return self._mounted.below(mounts, route) if mounts else route

    def mount_of(self, scope: Scope) -> object | None:
        """Return the mount through which a layer further in is reached."""
        handler = scope.get("route_handler")
        if handler is None or not _is_mount(handler):
            return None
        mount = self._mount(handler, scope.get(REQUEST_KEY))
        return None if mount is None else self._handled(mount.path.rstrip("/"), handler)

    def _handled(self, path: str, handler: Any) -> _Handled:
        return self._known.setdefault((id(handler), path), _Handled(path, handler))

    def _declared(self, app: Any, handler: Any, template: str) -> _Handled:
        """Return the route of a handler, with the types of parameters that templates leave out."""
        path = template
        for route in app.routes:
            if route.path_format == template and any(its is handler for its in _handlers(route)):
                path = route.path
                break
        return self._known.setdefault((id(handler), template), _Handled(path, handler))

    def _mount(self, handler: Any, request: Any) -> Any:
        """Return the route of a mounted handler, or of any: the one the request's path names."""
        mounts = [
            route
            for route in self._app.routes
            for its in _handlers(route)
            if _is_mount(its) and (handler is None or its is handler)
        ]
        if len(mounts) > 1 and request is not None:
            path = f"{request.path()}/"
            mounts = [mount for mount in mounts if f"{mount.path.rstrip('/')}/" in path]
        return max(mounts, key=lambda mount: len(mount.path), default=None)


def _application(scope: Scope, own: Any) -> Any:
    app = scope.get("litestar_app")
    if app is None:
        # Older versions note it under this key only, which other frameworks write over.
        app = scope.get("app")
    return app if hasattr(app, "asgi_router") else own


def _is_mount(handler: Any) -> bool:
    return bool(getattr(handler, "is_mount", False))


def _handlers(route: Any) -> Any:
    several = getattr(route, "route_handlers", None)
    return (route.route_handler,) if several is None else several


def endpoint_of(route: Any) -> object | None:
    """Return the function of a handler as it was written."""
    parts: Any = route.parts if isinstance(route, MountedRoute) else (route,)
    function = getattr(parts[-1].handler, "fn", None)
    # A sync one stands in an object that runs it in a thread.
    return getattr(function, "func", function)


def route_names(route: Any) -> tuple[str, str | None, str | None]:
    """Return template, handler and no module."""
    parts: Any = route.parts if isinstance(route, MountedRoute) else (route,)
    return "".join(map(part_template, parts)), parts[-1].handler.handler_name, None
