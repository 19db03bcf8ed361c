"""What werkzeug's rules say of a route; Flask and Quart both route by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._mounted import MountedRoute, part_template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["rule_names", "views_by"]


def rule_names(route: Any) -> tuple[str, str | None, str | None]:
    """Return template, endpoint and no module of a rule, also of one below mounts."""
    if isinstance(route, MountedRoute):
        template, func, module = rule_names(route.parts[-1])
        return "".join(map(part_template, route.parts[:-1])) + template, func, module
    rule = route
    # Of an application that routes by host or subdomain, that template is part of the route.
    host = rule.host if rule.map is not None and rule.map.host_matching else rule.subdomain
    return f"{host or ''}{rule.rule}", rule.endpoint, None


def views_by(views: Mapping[str, Any]) -> Callable[[Any], object | None]:
    """Return what finds the view of a rule, also of one below mounts, by its endpoint."""

    def view_of(route: Any) -> object | None:
        rule: Any = route.parts[-1] if isinstance(route, MountedRoute) else route
        return views.get(rule.endpoint)

    return view_of
