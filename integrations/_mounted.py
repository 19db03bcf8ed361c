"""Routes below mounts: one object for each way to a route, whose template has the mounts' own."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["MountedRoute", "MountedRoutes", "part_template"]

#: Mounted routes remembered; more share the overflow series anyhow.
_MAX_MOUNTED: Final = 100_000


class MountedRoute:
    """A route together with the mounts and hosts that lead to it; also one that was included.

    Attributes:
        parts: Outermost first, the route last.
    """

    __slots__ = ("parts",)

    def __init__(self, parts: tuple[object, ...]) -> None:
        self.parts = parts


class MountedRoutes:
    """Remembers mounted routes, so that of the same way there is one object."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], MountedRoute] = {}

    def below(self, mounts: tuple[object, ...], route: object) -> MountedRoute:
        """Return the route as it is reached through `mounts`, outermost first."""
        key = (*map(id, mounts), id(route))
        known = self._known.get(key)
        if known is None:
            known = MountedRoute((*mounts, route))
            if len(self._known) < _MAX_MOUNTED:
                # It keeps the parts alive, and so their ids its own.
                self._known[key] = known
        return known


def part_template(part: Any) -> str:
    """Return what a mount, host or route adds to the template."""
    path = getattr(part, "path", None)
    if isinstance(path, str):
        return path
    host = getattr(part, "host", None)
    return host if isinstance(host, str) else ""
