"""How the Wavefront convention spells a route and its view.

Apart from the rest of the convention, since the request path spells counters of objectives so too.
"""

from __future__ import annotations

from typing import Final

__all__ = ["UNKNOWN", "entity_name", "route_tags"]

UNKNOWN: Final = "UNKNOWN"
_ROOT: Final = "_root_"


def entity_name(route: str | None) -> str:
    """Return the entity name of a route template; `_root_` for `/`, `UNKNOWN` for none."""
    if route is None:
        return UNKNOWN
    name = route.removeprefix("/").replace("-", "_").replace("/", ".")
    name = name.replace("{", "_").replace("}", "_").replace("<", "").replace(">", "")
    return name or _ROOT


def route_tags(framework: str, func: str | None, module: str | None) -> tuple[tuple[str, str], ...]:
    """Return the tags that name the view of a route."""
    if not func:
        return ()
    if not module:
        return ((f"{framework}.func", func),)
    return ((f"{framework}.resource.module", module), (f"{framework}.resource.func", func))
