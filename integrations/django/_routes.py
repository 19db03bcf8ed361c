"""Which route serves a request: what Django resolved, noted where the drivers look for it."""

from __future__ import annotations

import functools
from typing import Any, Final

from wf_instrument.speed import link

__all__ = [
    "DjangoRoute",
    "endpoint_of",
    "note_route",
    "note_static",
    "note_target",
    "request_scope",
    "route_names",
    "route_of",
    "route_of_match",
]

#: Under this key of the environ or scope stands the route of the request.
ROUTE_KEY: Final = "wf_instrument.django.route"

#: Routes remembered; more share the overflow series anyhow.
_MAX_KNOWN: Final = 100_000


class DjangoRoute:
    """A template together with the view it leads to; of the same pair the same object."""

    __slots__ = ("template", "view")

    def __init__(self, template: str, view: Any) -> None:
        self.template = template
        self.view = view


# Django makes a new match for each request; a route must be one object to be told apart fast.
_known: dict[tuple[str, int], DjangoRoute] = {}


def request_scope(request: Any) -> Any:
    """Return what the server gave Django for a request: the scope, or the environ."""
    scope = getattr(request, "scope", None)
    return request.META if scope is None else scope


def note_route(scope: Any, match: Any) -> None:
    """Note in a scope or environ what the request was resolved to."""
    # As `route_of_match`, without the calls: every request comes here.
    view = match.func
    template = match.route or ""
    try:
        scope[ROUTE_KEY] = _known[template, id(view)]
    except KeyError:
        scope[ROUTE_KEY] = _route(template, view)


def note_static(request: Any, handler: Any) -> None:
    """Note that a handler of static files serves a request itself."""
    template = f"{handler.base_url.path.lstrip('/')}<path:path>"
    request_scope(request)[ROUTE_KEY] = _route(template, type(handler).serve)


def note_target(request: Any, record: Any) -> None:
    """Note what was asked for, where only Django can tell what a log line and the URL show.

    Django writes over the environ: from then on its path is text, where WSGI has bytes.
    """
    path = request.path_info
    root = request.META.get("SCRIPT_NAME", "")
    query = request.META.get("QUERY_STRING") if record.recorder.settings.url_query else ""
    target = f"{root}{path}?{query}" if query else f"{root}{path}"
    record.known_target = target


def route_of(scope: Any) -> object | None:
    """Return the route of a scope or environ; None while or when there is none."""
    return scope.get(ROUTE_KEY)  # type: ignore[no-any-return]  # as noted


link(django_route=route_of)


def route_of_match(match: Any) -> DjangoRoute:
    """Return the route of what Django's resolver found."""
    return _route(match.route or "", match.func)


def _route(template: str, view: Any) -> DjangoRoute:
    # By id, since a view need not be hashable; the route keeps it alive.
    key = (template, id(view))
    route = _known.get(key)
    if route is None:
        route = DjangoRoute(template, view)
        if len(_known) < _MAX_KNOWN:
            route = _known.setdefault(key, route)
    return route


def endpoint_of(route: Any) -> object | None:
    """Return the view of a route, which may be decorated with a policy."""
    return route.view  # type: ignore[no-any-return]  # whatever a URL configuration names


def route_names(route: Any) -> tuple[str, str | None, str | None]:
    """Return template, name of the view's function or class, and its module."""
    view = route.view
    while isinstance(view, functools.partial):
        view = view.func
    # Class-based views are functions that know their class; `cls` is REST framework's word.
    view = getattr(view, "view_class", None) or getattr(view, "cls", None) or view
    if not hasattr(view, "__name__"):
        view = type(view)
    return f"/{route.template}", view.__name__, view.__module__
