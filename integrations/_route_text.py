"""Routes that are told as text: equal texts become one object, as recorders tell routes apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SameText", "text_names"]

#: Texts remembered; a resolver that makes up more of them gives templates no sense.
_MAX_KNOWN: Final = 100_000


class SameText:
    """Asks a resolver for the route of a request, and returns equal answers as one object."""

    def __init__(self, route_of: Callable[[Any], str | None]) -> None:
        self._route_of = route_of
        self._known: dict[str, str] = {}

    def __call__(self, request: Any) -> object | None:
        """Return the route of a scope or environ."""
        route = self._route_of(request)
        if route is None:
            return None
        if len(self._known) < _MAX_KNOWN:
            return self._known.setdefault(route, route)
        return self._known.get(route, route)


def text_names(route: Any) -> tuple[str, str | None, str | None]:
    """Return a text as template, without function and module."""
    return route, None, None
