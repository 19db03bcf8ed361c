"""`apptuit://TOKEN@`: everything recorded arrives as points."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from wf_instrument.integrations.flask import instrument_app

import wf_instrument
from apptuit_service import ApptuitService
from flask_site import empty_site
from loopback import Answer, Received
from samples import IDENTITY, histogram, request_row, snapshot, span, websocket_row
from wf_instrument.backends.apptuit.pipeline_reporter import ApptuitPipelineReporter
from wf_instrument.errors import ConfigError
from wf_instrument.identity import ApplicationTags, Identity
from wf_instrument.reporting import make_reporter
from wf_instrument.reporting.snapshot import InFlight, MinuteDistribution, Point, WebSocketEnd
from wf_instrument.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT_S = 1_700_000_000
OWN = {
    "host": "host-1",
    "service_namespace": "Ordering",
    "service_name": "styling",
    "wf_cluster": "us-west-1",
    "wf_shard": "primary",
    "env": "Staging",
}
REQUEST = {
    "component": "flask",
    "http_request_method": "GET",
    "http_route": "/a",
    "http_response_status_code": "200",
    "url_scheme": "http",
    "network_protocol_version": "1.1",
    "outcome": "ok",
}


@pytest.fixture
def service() -> Iterator[ApptuitService]:
    with ApptuitService() as made:
        yield made


def reporter_of(
    service: ApptuitService, more: str = "", identity: Identity = IDENTITY
) -> ApptuitPipelineReporter:
    url = f"apptuit://TOKEN@?endpoint={service.url}&flush_interval=3600{more}"
    _, reporter, interval_s = make_reporter(url, identity, Settings())
    assert isinstance(reporter, ApptuitPipelineReporter)
    assert interval_s == 10
    return reporter


def report(service: ApptuitService, *snapshots: Any, more: str = "") -> list[int]:
    reporter = reporter_of(service, more)
    taken = [reporter.report(one) for one in snapshots]
    reporter.close(10)
    return taken


def rows(service: ApptuitService, metric: str) -> list[dict[str, Any]]:
    return [row for row in service.rows() if row["metric"] == metric]


def test_a_request_becomes_totals_and_figures_of_the_interval(service: ApptuitService) -> None:
    one = snapshot(requests=[request_row("/a", 200, [0.1, 0.3])], at_s=AT_S)
    two = snapshot(requests=[request_row("/a", 200, [0.5])], at_s=AT_S + 10)
    assert report(service, one, two) == [1, 1]
    counts = rows(service, "http_server_request_duration_count")
    assert [(row["timestamp"], row["value"]) for row in counts] == [(AT_S + 1, 2), (AT_S + 11, 3)]
    assert counts[0]["tags"] == {**REQUEST, **OWN}
    sums = [row["value"] for row in rows(service, "http_server_request_duration_sum")]
    assert sums == pytest.approx([0.4, 0.9])
    highest = [row["value"] for row in rows(service, "http_server_request_duration_max")]
    assert highest == pytest.approx([0.3, 0.5])
    (_, last) = rows(service, "http_server_request_duration_99_percentile")
    assert last["value"] == pytest.approx(0.5, rel=0.01)
    for name in ("response_ttfb", "request_cpu_time", "response_body_size"):
        assert len(rows(service, f"http_server_{name}_count")) == 2


def test_an_error_is_told_by_tags(service: ApptuitService) -> None:
    report(service, snapshot(requests=[request_row(None, 500, [0.1], error="KeyError")]))
    (row,) = rows(service, "http_server_request_duration_count")
    assert "http_route" not in row["tags"]
    assert (row["tags"]["error_type"], row["tags"]["outcome"]) == ("KeyError", "server_error")


def test_requests_and_connections_under_way_are_gauges(service: ApptuitService) -> None:
    report(
        service,
        snapshot(
            in_flight=[InFlight("flask", "/a", "view", "GET", 3)],
            websockets=[websocket_row("/chat", WebSocketEnd(101), in_flight=2)],
        ),
    )
    values = service.values()
    assert values["http_server_active_requests"] == 3
    assert values["http_server_websocket_active_connections"] == 2
    assert values["http_server_websocket_connections_count"] == 1
    assert values["http_server_websocket_messages_sent_count"] == 3
    assert values["http_server_websocket_duration_sum"] == 2


def test_points_of_registries_are_sent_and_changes_become_totals(service: ApptuitService) -> None:
    tags = (("shop", "north"),)
    points = [
        Point("orders.count", 5, "counter", tags),
        Point("load.value", 0.5, "gauge"),
        Point("delta.count", 2, "delta", tags),
    ]
    minute = MinuteDistribution("size", AT_S, histogram([1.0, 3.0]), tags)
    taken = report(
        service,
        snapshot(points=points, distributions=[minute], at_s=AT_S),
        snapshot(points=points, at_s=AT_S + 10),
    )
    assert taken == [4, 3]
    assert [row["value"] for row in rows(service, "orders_count")] == [5, 5]
    assert [row["value"] for row in rows(service, "delta_count")] == [2, 4]
    assert rows(service, "load_value")[0]["tags"] == OWN
    (average,) = rows(service, "size_avg")
    assert (average["timestamp"], average["value"]) == (AT_S, 2)
    assert average["tags"] == {**OWN, "shop": "north"}


def test_spans_are_taken_and_not_sent(service: ApptuitService) -> None:
    assert report(service, snapshot(spans=[span("a", 1)])) == [1]
    assert service.requests == []


def test_the_prefix_and_the_mode_of_the_url_are_kept_to(service: ApptuitService) -> None:
    points = [Point("a.b", 1, "gauge")]
    report(service, snapshot(points=points), more="&prefix=pre.&sanitize_mode=apptuit")
    assert list(service.values()) == ["pre.a.b"]


def test_workers_of_a_host_are_told_apart(service: ApptuitService) -> None:
    second = Identity(ApplicationTags("a", "b"), "h", worker_slot=1)
    reporter = reporter_of(service)
    reporter.report(snapshot(points=[Point("a", 1, "gauge")], identity=second))
    reporter.close(10)
    assert service.rows()[0]["tags"]["worker"] == "1"


def test_more_tags_than_are_taken_cost_the_last_of_them(
    service: ApptuitService, caplog: pytest.LogCaptureFixture
) -> None:
    tags = tuple((f"t{n}", "x") for n in range(24))
    report(service, snapshot(points=[Point("a", 1, "gauge", tags)]))
    assert len(rows(service, "a")[0]["tags"]) == 25
    assert "Apptuit takes 25 tags" in caplog.text


def test_what_cannot_be_written_is_skipped_and_counted(service: ApptuitService) -> None:
    reporter = reporter_of(service)
    reporter.report(snapshot(points=[Point("a", float("nan"), "gauge"), Point("b", 1, "gauge")]))
    reporter.close(10)
    assert list(service.values()) == ["b"]
    assert reporter.skipped == 1


def test_points_that_apptuit_refuses_are_counted_and_not_sent_again() -> None:
    refused = Answer(400, body=b'{"success": 2, "failed": 1, "errors": []}')
    with ApptuitService([refused]) as service:
        reporter = reporter_of(service)
        reporter.report(snapshot(points=[Point(name, 1, "gauge") for name in "abc"]))
        reporter.close(10)
        assert (reporter.rejected, reporter.lost, len(service.requests)) == (1, 1, 1)


def test_a_body_too_large_goes_in_parts(service: ApptuitService) -> None:
    def most_three(one: Received) -> Answer:
        return Answer(413 if len(json.loads(one.body)) > 3 else 200)

    service.answer = most_three
    report(service, snapshot(points=[Point(f"p{n}", n, "gauge") for n in range(10)]))
    assert sorted(service.values()) == sorted(f"p{n}" for n in range(10))


@pytest.mark.slow
def test_what_could_not_be_delivered_comes_with_the_next_try() -> None:
    with ApptuitService([Answer(503)]) as service:
        report(service, snapshot(points=[Point("kept", 1, "gauge")]))
        assert service.values() == {"kept": 1}


def test_a_full_buffer_refuses_and_counts(service: ApptuitService) -> None:
    # Nothing leaves the buffer meanwhile.
    service.answer = lambda _: Answer(503)
    reporter = reporter_of(service, "&max_queue_size=2")
    points = [Point(name, 1, "gauge") for name in "abc"]
    assert reporter.report(snapshot(points=points)) == 0
    assert reporter.refused == 1
    service.answer = lambda _: Answer()
    reporter.close(10)
    assert len(service.rows()) == 2


def test_what_a_spool_kept_is_delivered_by_the_next_process(tmp_path: Path) -> None:
    more = f"&spool_dir={tmp_path}"
    with ApptuitService([Answer(503)] * 100) as service:
        reporter = reporter_of(service, more)
        reporter.report(snapshot(points=[Point("kept", 1, "gauge")]))
        reporter.close(0.5)
        assert service.rows() == []
        service.answer = lambda _: Answer()
        reporter_of(service, more).close(10)
        assert service.values() == {"kept": 1}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("apptuit://", "has no token"),
        ("apptuit://TOKEN@?token_file=/none", "cannot be read"),
        ("apptuit://TOKEN@?speed=1", "unknown parameter 'speed'"),
        ("apptuit://TOKEN@?sanitize_mode=x", "give one of apptuit, prometheus"),
        ("apptuit://TOKEN@?batch_size=50001", "from 1 to"),
        ("apptuit://TOKEN@?endpoint=http://apptuit.example", "plain http"),
    ],
)
def test_a_wrong_url_is_told_in_one_sentence(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        make_reporter(url, IDENTITY, Settings())
    assert "TOKEN@" not in str(caught.value) or "has no token" in words


def test_the_token_may_come_from_a_file_or_a_variable(
    tmp_path: Path, service: ApptuitService, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("from-file\n", encoding="utf-8")
    monkeypatch.setenv("APPTUIT_API_TOKEN", "from-variable")
    for source in (f"&token_file={file}", ""):
        url = f"apptuit://?endpoint={service.url}{source}"
        _, reporter, _ = make_reporter(url, IDENTITY, Settings())
        reporter.report(snapshot(points=[Point("a", 1, "gauge")]))
        reporter.close(10)
    assert [one.headers["authorization"] for one in service.received] == [
        "Bearer from-file",
        "Bearer from-variable",
    ]


def test_an_instrumented_application_reports_by_the_url(service: ApptuitService) -> None:
    app = empty_site("shop")

    @app.route("/style/<name>")
    def style(name: str) -> str:
        return name

    tags = ApplicationTags("Ordering", "styling")
    instrument_app(app, application_tags=tags, reporter=f"apptuit://TOKEN@?endpoint={service.url}")
    assert app.test_client().get("/style/x").status_code == 200
    wf_instrument.shutdown(10)
    (row,) = rows(service, "http_server_request_duration_count")
    assert row["tags"]["http_route"] == "/style/<name>"
    assert row["value"] == 1
