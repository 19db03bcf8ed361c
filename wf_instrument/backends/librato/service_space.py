"""A space with charts and alerts for an instrumented service, made in one call.

Rate, errors and duration by route, from what the reporter `librato://` sends. Charts and alerts
are by the tag `route`, and so cover routes that come later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.librato.alerts import Alert
from wf_instrument.backends.librato.conditions import Condition
from wf_instrument.backends.librato.wire_names import route_value, wire_tags

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wf_instrument.backends.librato.connection import LibratoConnection
    from wf_instrument.backends.librato.json_text import JsonObject
    from wf_instrument.backends.librato.services import Service
    from wf_instrument.backends.librato.spaces import Space
    from wf_instrument.reporting.snapshot import Tags

__all__ = ["ServiceSpace", "create_service_space"]

_REQUESTS: Final = "http.server.requests"
_ERRORS: Final = "http.server.errors"
_DURATION: Final = "http.server.duration"
_P95: Final = "http.server.duration.p95"
_NOT_IN_ALERTS: Final = re.compile(r"[^A-Za-z0-9.:\-]+")
_LONGEST_NAME: Final = 255


@dataclass(frozen=True, slots=True)
class ServiceSpace:
    """What was made, or found and brought up to date.

    Attributes:
        space: With its charts.
        alerts: One of errors, one of slowness, one of silence.
    """

    space: Space
    alerts: tuple[Alert, ...]


def create_service_space(
    connection: LibratoConnection,
    service: str,
    *,
    application: str | None = None,
    routes: Iterable[str] = (),
    services: Iterable[Service | int | str] = (),
    errors_above: float = 5,
    p95_ms_above: float = 1000,
    silent_for_s: int | None = 600,
    for_s: int = 300,
    runbook_url: str | None = None,
) -> ServiceSpace:
    """Make a space with charts and alerts for a service; called again, it changes nothing else.

    The charts show requests, errors, mean and 95th percentile of the duration by route, and the
    service's totals; for each of `routes` a chart of its own besides. Charts and alerts of the same
    names, from an earlier call, are put right; others are left alone.

    Args:
        connection: To the service that the reporter sends to.
        service: As in the application's tags.
        application: As there, where several applications have a service of this name.
        routes: Templates that get charts of their own.
        services: Whom the alerts tell: ids, or `Service` objects.
        errors_above: Failed requests of one route in a minute.
        p95_ms_above: Milliseconds of one route.
        silent_for_s: Seconds, 60 to 3600, without any request; None makes no such alert.
        for_s: Seconds, 60 to 3600, that errors or slowness must last.
        runbook_url: Shown with the alerts.

    Raises:
        ClientError: The service did not take all of it; a second call does the rest.
    """
    base: list[tuple[str, str]] = [("service", service)]
    if application is not None:
        base.insert(0, ("application", application))
    own = wire_tags(tuple(base))
    name = " ".join(value for _, value in base)
    space = connection.find_space(name) or connection.create_space(name, tags=True)
    _put_charts(space, _charts(own, routes))
    whom = list(services)
    common: JsonObject = {
        "services": whom,
        "md": True,
        "rearm_seconds": 600,
        "attributes": {"runbook_url": runbook_url} if runbook_url else {},
    }
    conditions = _conditions(own, errors_above, p95_ms_above, silent_for_s, for_s)
    prefix = _NOT_IN_ALERTS.sub("-", ".".join(value for _, value in base))
    alerts = [
        _put_alert(connection, f"{prefix[:240]}.{kind}", condition, common)
        for kind, condition in conditions.items()
    ]
    return ServiceSpace(space, tuple(alerts))


def _conditions(
    own: Tags, errors_above: float, p95_ms_above: float, silent_for_s: int | None, for_s: int
) -> dict[str, Condition]:
    """Return the conditions by the ends of their alerts' names."""
    by_route = _tags(own, by_route=True)
    errors = Condition(_ERRORS, tags=by_route).above(errors_above, "sum")
    slow = Condition(_P95, tags=by_route).above(p95_ms_above, "max")
    conditions = {"errors": errors.duration(for_s), "slow": slow.duration(for_s)}
    if silent_for_s is not None:
        silence = Condition(_REQUESTS, tags=_tags(own))
        conditions["silent"] = silence.stops_reporting_for(silent_for_s)
    return conditions


def _charts(own: Tags, routes: Iterable[str]) -> dict[str, JsonObject]:
    """Return the charts by name."""
    by_route = _tags(own, by_route=True)
    charts: dict[str, JsonObject] = {
        "Requests": _big(_REQUESTS, own),
        "Errors": _big(_ERRORS, own),
        "Requests by route": _lines("stacked", "requests", [_stream(_REQUESTS, by_route, "sum")]),
        "Errors by route": _lines("stacked", "errors", [_stream(_ERRORS, by_route, "sum")]),
        "Duration by route": _lines("line", "ms", [_stream(_DURATION, by_route, "average")]),
        "95th percentile by route": _lines("line", "ms", [_stream(_P95, by_route, "max")]),
    }
    for route in routes:
        value = route_value(route)
        tags = _tags(wire_tags((*own, ("route", value))))
        charts[f"Requests and errors of {value}"[:_LONGEST_NAME]] = _lines(
            "line",
            "requests",
            [
                {**_stream(_REQUESTS, tags, "sum"), "name": "requests"},
                {**_stream(_ERRORS, tags, "sum"), "name": "errors"},
            ],
        )
        charts[f"Duration of {value}"[:_LONGEST_NAME]] = _lines(
            "line",
            "ms",
            [
                {**_stream(_DURATION, tags, "average"), "name": "mean"},
                {**_stream(_P95, tags, "max"), "name": "p95"},
            ],
        )
    return charts


def _put_charts(space: Space, charts: dict[str, JsonObject]) -> None:
    there = {chart.name: chart for chart in space.charts()}
    for name, fields in charts.items():
        chart = there.get(name)
        if chart is None:
            space.add_chart(name, **fields)
        else:
            # Only what is ours: a colour somebody chose for the chart stays.
            space.connection.update_chart(chart, space, **fields)


def _put_alert(
    connection: LibratoConnection, name: str, condition: Condition, common: JsonObject
) -> Alert:
    known = connection.get_alert(name)
    if known is None:
        return connection.create_alert(name, conditions=[condition], **common)
    fresh = Alert(connection, name, known.id, conditions=[condition], **common)
    # Whether it is active is for those to say whom it wakes.
    fresh.active, fresh.description = known.active, known.description
    fresh.save()
    return fresh


def _stream(metric: str, tags: list[JsonObject], function: str) -> dict[str, Any]:
    return {
        "metric": metric,
        "tags": tags,
        "group_function": function,
        "summary_function": function,
    }


def _lines(kind: str, label: str, streams: list[dict[str, Any]]) -> JsonObject:
    return {"type": kind, "label": label, "min": 0, "streams": streams}


def _big(metric: str, own: Tags) -> JsonObject:
    stream = _stream(metric, _tags(own), "sum")
    return {"type": "bignumber", "use_last_value": False, "streams": [stream]}


def _tags(own: Tags, *, by_route: bool = False) -> list[JsonObject]:
    tags: list[JsonObject] = [
        {"name": name, "values": [value], "grouped": False} for name, value in own
    ]
    if by_route:
        tags.append({"name": "route", "values": ["*"], "grouped": True})
    return tags
