"""What werkzeug's rules say of a route; Flask and Quart both route by them."""

from __future__ import annotations

from typing import Any

__all__ = ["rule_names"]


def rule_names(rule: Any) -> tuple[str, str | None, str | None]:
    """Return template, endpoint and no module."""
    # Of an application that routes by host or subdomain, that template is part of the route.
    host = rule.host if rule.map is not None and rule.map.host_matching else rule.subdomain
    return f"{host or ''}{rule.rule}", rule.endpoint, None
