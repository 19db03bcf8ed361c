"""One call makes a space with charts and alerts for an instrumented service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from samples import request_row, snapshot
from wf_instrument.backends.librato import create_service_space
from wf_instrument.backends.librato.measurement_table import MeasurementTable
from wf_instrument.backends.librato.snapshot_figures import add_snapshot

if TYPE_CHECKING:
    from librato_service import LibratoService
    from wf_instrument.backends.librato import LibratoConnection


def charts(service: LibratoService) -> dict[str, dict[str, Any]]:
    (found,) = service.charts.values()
    return {one["name"]: one for one in found.values()}


def test_rate_errors_and_duration_by_route_are_charted_and_watched(
    service: LibratoService, api: LibratoConnection
) -> None:
    made = create_service_space(api, "Styling", services=["849"], runbook_url="http://x")
    assert made.space.name == "Styling"
    assert list(charts(service)) == [
        "Requests", "Errors", "Requests by route", "Errors by route", "Duration by route",
        "95th percentile by route",
    ]  # fmt: skip
    by_route = [
        {"name": "service", "values": ["styling"], "grouped": False},
        {"name": "route", "values": ["*"], "grouped": True},
    ]
    (stream,) = charts(service)["Errors by route"]["streams"]
    assert (stream["metric"], stream["tags"]) == ("http.server.errors", by_route)
    alerts = {one["name"]: one for one in service.alerts.values()}
    assert list(alerts) == ["Styling.errors", "Styling.slow", "Styling.silent"]
    (condition,) = alerts["Styling.errors"]["conditions"]
    assert (condition["tags"], condition["threshold"], condition["duration"]) == (by_route, 5, 300)
    for alert in alerts.values():
        assert [one["id"] for one in alert["services"]] == ["849"]
        assert alert["attributes"] == {"runbook_url": "http://x"}
    assert len(made.alerts) == 3
    assert service.refusals == []


def test_routes_get_charts_of_their_own(service: LibratoService, api: LibratoConnection) -> None:
    create_service_space(
        api, "styling", application="Ordering", routes=["/styles/<int:id>"], silent_for_s=None
    )
    chart = charts(service)["Requests and errors of /styles/:id"]
    tags = [(one["name"], one["values"]) for one in chart["streams"][0]["tags"]]
    assert tags == [
        ("application", ["ordering"]), ("service", ["styling"]), ("route", ["/styles/:id"]),
    ]  # fmt: skip
    assert "Duration of /styles/:id" in charts(service)
    assert [one["name"] for one in service.alerts.values()] == [
        "Ordering.styling.errors", "Ordering.styling.slow",
    ]  # fmt: skip


def test_a_second_call_makes_nothing_twice_and_leaves_what_is_not_its_own(
    service: LibratoService, api: LibratoConnection
) -> None:
    space = create_service_space(api, "styling").space
    space.add_chart("mine")
    charts(service)["Errors"]["enable_format"] = True
    next(iter(service.alerts.values()))["active"] = False
    create_service_space(api, "styling", errors_above=9)
    assert len(service.spaces) == 1
    assert len(charts(service)) == 7
    assert charts(service)["Errors"]["enable_format"] is True
    assert len(service.alerts) == 3
    first = next(iter(service.alerts.values()))
    assert (first["active"], first["conditions"][0]["threshold"]) == (False, 9)


@pytest.mark.parametrize("name", ["shop & sons", "x" * 250])
def test_any_name_of_a_service_will_do(
    service: LibratoService, api: LibratoConnection, name: str
) -> None:
    create_service_space(api, name)
    assert len(service.alerts) == 3
    assert service.refusals == []


def test_what_is_charted_and_watched_is_what_the_reporter_sends(
    service: LibratoService, api: LibratoConnection
) -> None:
    create_service_space(api, "styling", routes=["/a"])
    table = MeasurementTable(())
    add_snapshot(table, snapshot(requests=[request_row("/a", 200, [0.1])]))
    sent = " ".join(table.texts(1, 60))
    metrics = {one["metric"] for chart in charts(service).values() for one in chart["streams"]}
    metrics |= {c["metric_name"] for one in service.alerts.values() for c in one["conditions"]}
    assert len(metrics) == 4
    assert [metric for metric in metrics if f'"name":"{metric}"' not in sent] == []
