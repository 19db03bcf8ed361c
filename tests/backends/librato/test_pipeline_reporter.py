"""What is recorded becomes tagged measurements, one a series and period, within the limits."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import flask
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wf_instrument
from librato_rules import check_tagged
from librato_service import TOKEN, USER, LibratoService
from samples import histogram, request_row, snapshot, span, websocket_row
from wf_instrument.backends.librato import LibratoPipelineReporter, MeasurementSender
from wf_instrument.backends.librato.measurement_table import MeasurementTable
from wf_instrument.backends.librato.wire_names import route_value, wire_tags
from wf_instrument.errors import ConfigError
from wf_instrument.identity import ApplicationTags, Identity
from wf_instrument.reporting.reporter_url import make_reporter
from wf_instrument.reporting.snapshot import InFlight, MinuteDistribution, Point, WebSocketEnd
from wf_instrument.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_S = 1_700_000_040  # a whole minute
PLAIN = Identity(ApplicationTags("Ordering", "styling"), "host-1")
OWN = {"application": "ordering", "service": "styling", "source": "host-1"}
ROUTE = {**OWN, "framework": "flask", "route": "/styles/:id", "func": "view", "method": "get"}


def url_of(service: LibratoService, query: str = "") -> str:
    user = USER.replace("@", "%40")
    return (
        f"librato://{user}:{TOKEN}@?endpoint=http://{service.hostname}/v1/&flush_interval=60{query}"
    )


@pytest.fixture
def reporter(service: LibratoService) -> Iterator[LibratoPipelineReporter]:
    _, made, _ = make_reporter(url_of(service), PLAIN, Settings())
    assert isinstance(made, LibratoPipelineReporter)
    yield made
    made.close(5)


def by_name(service: LibratoService) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for one in service.measurements:
        found.setdefault(one["name"], []).append(one)
    return found


def test_a_route_has_rate_errors_and_duration(
    service: LibratoService, reporter: LibratoPipelineReporter
) -> None:
    rows = [
        request_row("/styles/{id}", 200, [0.1, 0.3]),
        request_row("/styles/{id}", 500, [0.2], error="KeyError"),
    ]
    one = snapshot(requests=rows, at_s=AT_S, length_s=60, identity=PLAIN)
    assert reporter.report(one) == 2
    assert reporter.flush(5)
    found = by_name(service)
    ok = {**ROUTE, "status": "200", "outcome": "ok"}
    failed = {**ROUTE, "status": "500", "outcome": "server_error"}
    assert [(m["tags"], m["value"]) for m in found["http.server.requests"]] == [
        (ok, 2),
        (failed, 1),
    ]
    assert [(m["tags"], m["value"]) for m in found["http.server.errors"]] == [(ok, 0), (failed, 1)]
    duration = found["http.server.duration"][0]
    summary = {key: round(duration[key], 6) for key in ("count", "sum", "min", "max")}
    assert summary == {"count": 2, "sum": 400, "min": 100, "max": 300}
    assert "value" not in duration
    assert found["http.server.duration.p50"][0]["value"] == pytest.approx(100, rel=0.03)
    assert {m["time"] for m in service.measurements} == {AT_S}
    assert {m["period"] for m in service.measurements} == {60}
    assert service.refusals == []


def test_everything_recorded_arrives_but_spans(
    service: LibratoService, reporter: LibratoPipelineReporter
) -> None:
    one = snapshot(
        identity=PLAIN,
        at_s=AT_S,
        in_flight=[InFlight("flask", "/", "view", "GET", 3)],
        websockets=[websocket_row("/chat", WebSocketEnd(101), in_flight=2)],
        points=[
            Point("orders.count", 7, "delta", (("Shop", "North"),)),
            Point("pool.value", 0.5, "gauge"),
            Point("seen.count", 9, "counter"),
        ],
        distributions=[MinuteDistribution("size", AT_S, histogram([1.0, 2.0]))],
        spans=[span("op", 1)],
    )
    assert reporter.report(one) == one.data_count == 6
    assert reporter.flush(5)
    found = by_name(service)
    assert found["http.server.in_flight"][0]["value"] == 3
    assert found["websocket.open"][0]["value"] == 2
    assert found["websocket.connections"][0]["tags"]["status"] == "101"
    assert found["orders.count"][0]["tags"] == {**OWN, "shop": "north"}
    assert (found["orders.count"][0]["value"], found["pool.value"][0]["value"]) == (7, 0.5)
    assert found["seen.count"][0]["value"] == 9
    assert (found["size"][0]["count"], found["size"][0]["time"]) == (2, AT_S)
    assert service.refusals == []


def test_a_period_that_was_flushed_takes_another_second(
    service: LibratoService, reporter: LibratoPipelineReporter
) -> None:
    for begin in (0, 20, 60):
        point = Point("n", 1, "delta")
        reporter.report(snapshot(points=[point], at_s=AT_S + begin, length_s=1, identity=PLAIN))
    assert reporter.flush(5)
    assert [one["time"] for one in service.measurements] == [AT_S, AT_S + 1, AT_S + 60]


def test_routes_that_meet_on_the_wire_are_one_series(
    service: LibratoService, reporter: LibratoPipelineReporter
) -> None:
    rows = [request_row("/a/{id}", 200, [0.1]), request_row("/a/<int:id>", 200, [0.3])]
    reporter.report(snapshot(requests=rows, identity=PLAIN))
    assert reporter.flush(5)
    (requests,) = by_name(service)["http.server.requests"]
    (duration,) = by_name(service)["http.server.duration"]
    assert (requests["value"], duration["count"]) == (2, 2)


def test_workers_of_a_host_have_series_of_their_own(service: LibratoService) -> None:
    worker = Identity(PLAIN.tags, PLAIN.source, worker_slot=3)
    _, made, _ = make_reporter(url_of(service), PLAIN, Settings())
    made.report(snapshot(points=[Point("n", 1, "gauge")], identity=worker))
    made.close(5)
    assert service.measurements[0]["tags"]["worker"] == "3"


@pytest.mark.parametrize(
    ("route", "value"),
    [("/a/{id}", "/a/:id"), ("/a/<int:id>", "/a/:id"), ("/", "/"), ("UNKNOWN", "UNKNOWN")],
)
def test_a_route_becomes_exactly_this_tag(route: str, value: str) -> None:
    assert route_value(route) == value


@given(
    name=st.text(max_size=300),
    value=st.floats(),
    tags=st.lists(st.tuples(st.text(max_size=80), st.text(max_size=300)), max_size=60),
)
def test_no_name_tag_or_value_makes_a_measurement_the_service_refuses(
    name: str, value: float, tags: list[tuple[str, str]]
) -> None:
    table = MeasurementTable((("application", "a"),))
    table.put(name, tuple(tags), value)
    rows = [json.loads(text) for text in table.texts(AT_S, 60)]
    assert len(rows) + table.skipped == 1
    if rows:
        check_tagged({"measurements": rows})


def test_tags_are_of_lower_case_and_at_most_fifty() -> None:
    assert wire_tags((("Env Name", "Prod!"), ("blank", " "))) == (("env-name", "prod-"),)
    assert len(wire_tags(tuple((f"t{number}", "x") for number in range(60)))) == 50


def test_a_request_holds_less_than_a_thousand_measurements(service: LibratoService) -> None:
    sender = MeasurementSender(USER, TOKEN, f"http://{service.hostname}/v1/", flush_interval_s=60)
    for number in range(1300):
        sender.put(json.dumps({"name": f"m{number}", "value": 1}))
    sender.close(10)
    sent = [len(one.body["measurements"]) for one in service.calls]
    assert (max(sent), sum(sent)) == (500, 1300)
    assert TOKEN not in repr(sender)


def test_an_outage_loses_nothing_and_repeats_nothing(
    service: LibratoService, reporter: LibratoPipelineReporter
) -> None:
    service.fail(503, times=1)
    reporter.report(snapshot(points=[Point("n", 1, "delta")], identity=PLAIN))
    assert not reporter.flush(0.2) or service.measurements
    assert reporter.flush(10)
    assert [one["value"] for one in service.measurements] == [1]
    assert reporter.lost == 0


def test_a_bad_measurement_costs_only_itself(service: LibratoService) -> None:
    sender = MeasurementSender(USER, TOKEN, f"http://{service.hostname}/v1/", flush_interval_s=60)
    for number in range(10):
        sender.put(json.dumps({"name": "bad name" if number == 4 else f"m{number}", "value": 1}))
    sender.close(10)
    assert len(service.measurements) == 9
    assert sender.lost == 1


def test_what_a_full_queue_refuses_counts_as_not_taken(service: LibratoService) -> None:
    _, made, _ = make_reporter(url_of(service, "&max_queue_size=2"), PLAIN, Settings())
    # More than can be delivered in between.
    points = [Point(f"n{number}", 1, "gauge") for number in range(5000)]
    taken = made.report(snapshot(points=points, identity=PLAIN))
    assert isinstance(made, LibratoPipelineReporter)
    assert made.refused == 5000 - taken > 0
    made.close(5)
    assert len(by_name(service)) == taken


def test_an_application_reports_by_the_url(
    service: LibratoService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WF_REPORTER", url_of(service))
    app = flask.Flask(__name__)

    @app.route("/styles/<int:number>")
    def style(number: int) -> str:
        return str(number)

    handle = wf_instrument.instrument(app, application="Ordering", service="styling")
    for number in range(3):
        assert app.test_client().get(f"/styles/{number}").data
    assert wf_instrument.flush()
    handle.uninstrument()
    wf_instrument.shutdown()
    (requests,) = by_name(service)["http.server.requests"]
    assert (requests["value"], requests["tags"]["route"]) == (3, "/styles/:number")
    assert service.refusals == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("librato://", "lacks user or token"),
        ("librato://user@", "lacks user or token"),
        ("librato://u:t@?endpoint=http://192.0.2.1/v1/", "plain http"),
        ("librato://u:t@?batch_size=1000", "batch_size"),
        ("librato://u:t@?bathc_size=5", "bathc_size"),
        ("librato://u:t%C3%BC@", "characters"),
    ],
)
def test_a_url_that_cannot_work_is_told_at_start_without_its_token(
    monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.delenv("LIBRATO_USER", raising=False)
    monkeypatch.delenv("LIBRATO_TOKEN", raising=False)
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        make_reporter(url, PLAIN, Settings())
    assert "u:t" not in str(caught.value)


def test_user_and_token_come_from_the_environment_too(
    service: LibratoService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIBRATO_USER", USER)
    monkeypatch.setenv("LIBRATO_TOKEN", TOKEN)
    _, made, interval_s = make_reporter(
        f"librato://?endpoint=http://{service.hostname}/v1/", PLAIN, Settings()
    )
    made.report(snapshot(points=[Point("n", 1, "gauge")], identity=PLAIN))
    made.close(5)
    assert (len(service.measurements), interval_s) == (1, 60)
