"""`signalfx://`: what was recorded arrives as data points in dimensional names."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import flask
import pytest

import wf_instrument
from signalfx_service import Asked, Reply, SignalFxService
from wf_instrument.backends.signalfx import (
    ProtoBufSignalFxIngestClient,
    SignalFxPipelineReporter,
)
from wf_instrument.errors import ConfigError
from wf_instrument.identity import ApplicationTags, Identity
from wf_instrument.metrics.histogram import ExponentialHistogram
from wf_instrument.reporting import make_reporter
from wf_instrument.reporting.snapshot import (
    InFlight,
    MinuteDistribution,
    Point,
    RequestInterval,
    RequestKey,
    SnapshotDraft,
    WebSocketEnd,
    WebSocketInterval,
    WebSocketKey,
)
from wf_instrument.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IDENTITY = Identity(
    tags=ApplicationTags(
        "shop", "cart", custom_tags=[("sf_x", "1"), ("my.tag", "2"), ("blank", "")]
    ),
    source="host-1",
)
OWN = {
    "service_namespace": "shop", "service_name": "cart", "host_name": "host-1", "tag_sf_x": "1",
    "my_tag": "2",
}  # fmt: skip
KEY = RequestKey("flask", "/cart/<id>", "cart", "GET", 500, error_type="KeyError")
ROUTE = {
    "http_request_method": "GET", "http_route": "/cart/<id>", "http_response_status_code": "500",
    "url_scheme": "http", "network_protocol_version": "1.1", "error_type": "KeyError",
}  # fmt: skip


@pytest.fixture
def service() -> Iterator[SignalFxService]:
    with SignalFxService() as made:
        yield made


@pytest.fixture
def reporter(service: SignalFxService) -> Iterator[SignalFxPipelineReporter]:
    client = ProtoBufSignalFxIngestClient("T", service.url, limits="raise")
    made = SignalFxPipelineReporter(client, IDENTITY)
    yield made
    made.close(5)


def histogram(*values: float) -> ExponentialHistogram:
    made = ExponentialHistogram()
    made.add_many(values)
    return made


def report(reporter: SignalFxPipelineReporter, **parts: Any) -> int:
    draft = SnapshotDraft(**parts)
    return reporter.report(draft.freeze(IDENTITY, 0, 60_000_000_000))


def named(service: SignalFxService, reporter: SignalFxPipelineReporter) -> dict[str, Any]:
    """Kind, value and dimensions of each metric's last point."""
    assert reporter.flush(10)
    return {p["metric"]: (p["kind"], p["value"], p["dimensions"]) for p in service.points()}


def test_a_row_of_requests_becomes_totals_extremes_and_percentiles(
    service: SignalFxService, reporter: SignalFxPipelineReporter
) -> None:
    row = RequestInterval(KEY, 3, histogram(0.1, 0.2, 0.3), cpu=histogram(0.05))
    assert report(reporter, requests=[row]) == 1
    found = named(service, reporter)
    name = "http.server.request.duration"
    dims = {**OWN, **ROUTE}
    assert found[f"{name}.count"] == ("cumulative_counter", 3, dims)
    assert found[f"{name}.sum"][:2] == ("cumulative_counter", pytest.approx(0.6))
    assert found[f"{name}.min"] == ("gauge", 0.1, dims)
    assert found[f"{name}.max"] == ("gauge", 0.3, dims)
    assert found[f"{name}.p50"][1] == pytest.approx(0.2, rel=0.02)
    assert {f"{name}.{part}" for part in ("p50", "p90", "p95", "p99")} < set(found)
    assert found["http.server.request.cpu_time.count"][1] == 1
    assert not any(metric.startswith("http.server.response.ttfb") for metric in found)
    assert {p["timestamp"] for p in service.points()} == {60_000}


def test_totals_grow_from_report_to_report_and_rows_of_one_series_add_up(
    service: SignalFxService, reporter: SignalFxPipelineReporter
) -> None:
    other = RequestKey("flask", "/cart/<id>", "other_view", "GET", 500, error_type="KeyError")
    rows = [RequestInterval(KEY, 1, histogram(0.1)), RequestInterval(other, 1, histogram(0.3))]
    for _ in range(2):
        report(reporter, requests=rows)
    assert named(service, reporter)["http.server.request.duration.count"][1] == 4
    counts = [p for p in service.points() if p["metric"] == "http.server.request.duration.count"]
    assert [p["value"] for p in counts] == [2, 4]


def test_workers_of_a_host_are_told_apart(
    service: SignalFxService, reporter: SignalFxPipelineReporter
) -> None:
    draft = SnapshotDraft(points=[Point("a", 1, "gauge")])
    reporter.report(draft.freeze(replace(IDENTITY, worker_slot=2), 0, 60_000_000_000))
    assert named(service, reporter)["a"][2]["worker"] == "2"


def test_an_unmatched_route_has_no_route_and_a_dimension_of_the_application_replaces_none(
    service: SignalFxService, reporter: SignalFxPipelineReporter
) -> None:
    key = RequestKey(
        "flask", None, None, "GET", 404, dimensions=(("tenant", "a"), ("http_route", "mine"),
        ("service.name", "mine")),
    )  # fmt: skip
    report(reporter, requests=[RequestInterval(key, 1, histogram(0.1))])
    dimensions = named(service, reporter)["http.server.request.duration.count"][2]
    assert dimensions["tenant"] == "a"
    assert dimensions["service_name"] == "cart"
    assert dimensions["error_type"] == "404"


def test_websockets_in_flight_and_the_loop_have_their_series(
    service: SignalFxService, reporter: SignalFxPipelineReporter
) -> None:
    socket = WebSocketInterval(
        WebSocketKey("starlette", "/chat", "chat"), 2, 3, 4, 30, 40,
        ends=((WebSocketEnd(101), 5),), duration=histogram(9.0),
    )  # fmt: skip
    row = RequestInterval(KEY, 1, histogram(0.1), blocked=histogram(0.5))
    taken = report(
        reporter, requests=[row], websockets=[socket],
        in_flight=[InFlight("flask", "/cart/<id>", "cart", "GET", 7)],
    )  # fmt: skip
    assert taken == 2
    found = named(service, reporter)
    chat = {**OWN, "http_route": "/chat", "url_scheme": "ws"}
    assert found["websocket.server.active_connections"] == ("gauge", 2, chat)
    assert found["websocket.server.connections"] == (
        "cumulative_counter", 5, {**chat, "status": "101", "outcome": "ok"},
    )  # fmt: skip
    assert found["websocket.server.messages_sent"][1] == 4
    assert found["websocket.server.received_bytes"][1] == 30
    assert found["websocket.server.connection.duration.max"][1] == 9.0
    assert found["http.server.active_requests"][:2] == ("gauge", 7)
    assert found["asyncio.loop.blocked_time.max"] == (
        "gauge", 0.5, {**OWN, "http_route": "/cart/<id>"},
    )  # fmt: skip


def test_points_and_distributions_of_registries_keep_their_kinds(
    service: SignalFxService, reporter: SignalFxPipelineReporter
) -> None:
    tags = (("a", "b"),)
    points = [
        Point("g", 1.5, "gauge", tags),
        Point("c", 2, "counter"),
        Point("∆d.count", 3, "delta", tags),
    ]
    rows = [MinuteDistribution("h", 0, histogram(1, 2), tags)]
    assert report(reporter, points=points, distributions=rows) == 4
    found = named(service, reporter)
    assert found["g"] == ("gauge", 1.5, {**OWN, "a": "b"})
    assert found["c"] == ("cumulative_counter", 2, OWN)
    assert found["d.count"] == ("counter", 3, {**OWN, "a": "b"})
    assert found["h.count"] == ("cumulative_counter", 2, {**OWN, "a": "b"})


@pytest.mark.slow
def test_changes_that_a_full_queue_refuses_go_with_the_next_report(
    service: SignalFxService,
) -> None:
    go_on = threading.Event()

    def answer(_: Asked) -> Reply:
        go_on.wait(20)
        return Reply()

    # Nothing leaves the queue meanwhile.
    service.answer = answer
    client = ProtoBufSignalFxIngestClient("T", service.url, max_queue_size=1, flush_interval_s=0.05)
    reporter = SignalFxPipelineReporter(client, IDENTITY)
    points = [Point("a", 1, "delta"), Point("b", 2, "delta")]
    assert report(reporter, points=points) == 0
    assert reporter.refused == 1
    go_on.set()
    assert reporter.flush(10)
    report(reporter)
    reporter.close(5)
    assert sorted((p["metric"], p["value"]) for p in service.points()) == [("a", 1), ("b", 2)]


def test_a_url_with_an_endpoint_carries_what_an_application_recorded(
    service: SignalFxService,
) -> None:
    app = flask.Flask(__name__)
    app.add_url_rule("/hello/<name>", view_func=lambda name: name, endpoint="hello")
    url = f"signalfx://TOKEN@us1?endpoint={service.url}&interval=60"
    wf_instrument.instrument(app, application="shop", service="cart", reporter=url)
    for _ in range(3):
        assert app.test_client().get("/hello/you").data == b"you"
    assert wf_instrument.flush(10)
    wf_instrument.shutdown(5)
    counts = [p for p in service.points() if p["metric"] == "http.server.request.duration.count"]
    assert counts[-1]["value"] == 3
    dimensions = counts[-1]["dimensions"]
    assert (dimensions["http_route"], dimensions["service_name"]) == ("/hello/<name>", "cart")
    assert {one.headers["x-sf-token"] for one in service.asked} == {"TOKEN"}


def made(text: str) -> SignalFxPipelineReporter:
    _, reporter, interval_s = make_reporter(text, IDENTITY, Settings())
    assert isinstance(reporter, SignalFxPipelineReporter)
    assert interval_s == 10.0
    return reporter


def test_a_realm_is_its_ingest_endpoint_and_no_repr_shows_the_token() -> None:
    reporter = made("signalfx://SECRET@eu0")
    assert (
        repr(reporter.client) == "ProtoBufSignalFxIngestClient('https://ingest.eu0.signalfx.com')"
    )


def test_the_token_may_come_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("T\n", encoding="utf-8")
    assert made(f"signalfx://us0?token_file={tmp_path / 'token'}")
    monkeypatch.setenv("WF_TOKEN", "T")
    assert made("signalfx://us0")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("signalfx://us0", "has no token"),
        ("signalfx://T@", "names no realm"),
        ("signalfx://T@us0:80", "names no realm"),
        ("signalfx://T@ingest.example.com", "no name of a realm"),
        ("signalfx://T@us0?endpoint=gateway", "is no URL"),
        ("signalfx://T@us0?endpoint=http://gateway:80", "plain http"),
        ("signalfx://T@us0?token_file=/nowhere", "cannot be read"),
        ("signalfx://T@us0?batchsize=3", "unknown parameter"),
    ],
)
def test_a_url_that_cannot_be_is_refused_at_start(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WF_TOKEN", raising=False)
    with pytest.raises(ConfigError, match=said):
        made(url)


def test_a_gateway_without_tls_is_taken_when_told_so() -> None:
    assert made("signalfx://T@us0?endpoint=http://gateway:80&allow_insecure")
