"""What Flask's requests are recorded as: one test a corner of the contract."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from wf_instrument.integrations.flask import FlaskTracing, instrument_app

import wf_instrument
from flask_site import empty_site, fetch, make_site, served
from recorded import only_row
from wf_instrument.telemetry import telemetry_for
from wf_instrument.testing import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def site(reporter: RecordingReporter, **settings: object) -> Iterator[int]:
    app = instrument_app(make_site(), reporter=reporter, **settings)
    with served(app) as port:
        yield port


def test_a_request_is_recorded_under_its_template_endpoint_method_and_status(
    reporter: RecordingReporter,
) -> None:
    with site(reporter) as port:
        fetch(port, "/style/x-1/make")
    row = only_row(reporter)
    key = row.key
    assert (key.route, key.func, key.method, key.status) == (
        "/style/<path:id>/make",
        "make_shirts",
        "GET",
        200,
    )
    assert (key.outcome, key.scheme, key.protocol, row.count) == ("ok", "http", "1.1", 1)


def test_latency_contains_time_to_first_byte_and_cpu_and_the_body_is_counted(
    reporter: RecordingReporter,
) -> None:
    with site(reporter) as port:
        fetch(port, "/style/x-1/make")
    row = only_row(reporter)
    assert row.ttfb is not None
    assert row.cpu is not None
    assert row.response_bytes is not None
    assert 0 < row.ttfb.sum <= row.latency.sum
    assert row.cpu.sum <= row.latency.sum * 1.5
    assert row.response_bytes.sum == len(b"Shirts x-1 made.")


@pytest.mark.parametrize(
    ("path", "method", "route", "status", "outcome"),
    [
        pytest.param("/", "GET", "/", 200, "ok", id="root"),
        pytest.param("/nowhere", "GET", None, 404, "client_error", id="no-route"),
        pytest.param("/only-get", "DELETE", None, 405, "client_error", id="method-not-allowed"),
        pytest.param("/redirect", "GET", "/redirect", 302, "ok", id="redirect"),
        pytest.param("/only-get", "HEAD", "/only-get", 200, "ok", id="head"),
        pytest.param("/only-get", "OPTIONS", "/only-get", 200, "ok", id="options"),
        pytest.param("/handled", "GET", "/handled", 409, "client_error", id="error-handler"),
        pytest.param("/stream", "GET", "/stream", 200, "ok", id="stream"),
        pytest.param("/file", "GET", "/file", 200, "ok", id="file"),
        pytest.param("/shop/item/7", "GET", "/shop/item/<int:number>", 200, "ok", id="blueprint"),
        pytest.param(
            "/static/none.css", "GET", "/static/<path:filename>", 404, "client_error", id="static"
        ),
        pytest.param("/x" * 3000, "GET", None, 404, "client_error", id="very-long-path"),
        pytest.param("/%00%0d%0a%ff", "GET", None, 404, "client_error", id="control-characters"),
    ],
)
def test_requests_are_told_apart_by_what_became_of_them(
    reporter: RecordingReporter, path: str, method: str, route: str, status: int, outcome: str
) -> None:
    with site(reporter) as port:
        fetch(port, path, method)
    key = only_row(reporter).key
    assert (key.route, key.method, key.status, key.outcome) == (route, method, status, outcome)


def test_an_unknown_method_is_other(reporter: RecordingReporter) -> None:
    with site(reporter) as port:
        fetch(port, "/", "BREW")
    assert only_row(reporter).key.method == "_OTHER"


def test_an_exception_turned_into_500_keeps_its_class_and_route(
    reporter: RecordingReporter,
) -> None:
    with site(reporter) as port:
        status, _, _ = fetch(port, "/boom")
    key = only_row(reporter).key
    assert status == 500
    assert (key.route, key.status, key.outcome, key.error_type) == (
        "/boom",
        500,
        "server_error",
        "ValueError",
    )
    (span,) = reporter.spans
    assert span.is_error
    fields = dict(span.logs[0].fields)
    assert (fields["event"], fields["error.kind"], fields["message"]) == (
        "error",
        "ValueError",
        "no shirts",
    )
    assert "def boom" in fields["stack"] or "in boom" in fields["stack"]


def test_an_exception_that_propagates_reaches_the_caller_and_is_a_500(
    reporter: RecordingReporter,
) -> None:
    app = instrument_app(make_site(), reporter=reporter)
    app.testing = True
    with pytest.raises(ValueError, match="no shirts"):
        app.test_client().get("/boom")
    key = only_row(reporter).key
    assert (key.route, key.status, key.error_type) == ("/boom", 500, "ValueError")


def test_a_stream_that_breaks_half_way_is_an_aborted_stream(reporter: RecordingReporter) -> None:
    app = instrument_app(make_site(), reporter=reporter)
    with pytest.raises(OSError, match="disk gone"):
        _ = app.test_client().get("/broken-stream").data
    row = only_row(reporter)
    assert (row.key.status, row.key.outcome, row.key.error_type) == (
        200,
        "aborted_stream",
        "OSError",
    )
    assert row.key.is_error


def test_a_response_closed_early_is_a_client_disconnect_and_no_error(
    reporter: RecordingReporter,
) -> None:
    app = instrument_app(make_site(), reporter=reporter)
    response = app.test_client().get("/stream", buffered=False)
    next(iter(response.response))
    response.close()
    row = only_row(reporter)
    assert (row.key.status, row.key.outcome, row.key.is_error) == (200, "client_disconnect", False)


def test_a_before_request_hook_that_answers_early_is_recorded_under_the_route(
    reporter: RecordingReporter,
) -> None:
    app = make_site()
    app.before_request(lambda: ("maintenance", 503))
    instrument_app(app, reporter=reporter)
    assert app.test_client().get("/style/a/make").status_code == 503
    key = only_row(reporter).key
    assert (key.route, key.status) == ("/style/<path:id>/make", 503)


def test_a_request_body_is_counted_as_the_view_reads_it(reporter: RecordingReporter) -> None:
    with site(reporter) as port:
        _, _, body = fetch(port, "/upload", "POST", b"x" * 5000)
    row = only_row(reporter)
    assert body == b"5000"
    assert row.request_bytes is not None
    assert row.request_bytes.sum == 5000


def test_a_request_in_flight_is_seen_under_its_route_and_gone_afterwards(
    reporter: RecordingReporter,
) -> None:
    app = make_site()
    entered, leave = threading.Event(), threading.Event()

    @app.route("/wait")
    def wait() -> str:
        entered.set()
        leave.wait(10)
        return "done"

    instrument_app(app, reporter=reporter)
    with served(app) as port, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(fetch, port, "/wait")
        assert entered.wait(10)
        wf_instrument.flush(5)
        (row,) = reporter.snapshot.in_flight
        assert (row.route, row.method, row.count) == ("/wait", "GET", 1)
        assert dict(reporter.snapshot.total_in_flight) == {"flask": 1}
        leave.set()
        answer.result(10)
    wf_instrument.flush(5)
    (row,) = reporter.snapshot.in_flight
    assert (row.route, row.count) == ("/wait", 0)
    assert dict(reporter.snapshot.total_in_flight) == {"flask": 0}


def test_a_thousand_unmatched_paths_make_one_series_and_a_list_of_the_top(
    reporter: RecordingReporter,
) -> None:
    app = instrument_app(make_site(), reporter=reporter)
    client = app.test_client()
    for number in range(1000):
        client.get(f"/scan/{number}")
    row = only_row(reporter)
    assert (row.key.route, row.count) == (None, 1000)
    assert 0 < len(reporter.snapshot.unmatched) <= 100


def test_routes_beyond_max_series_share_the_overflow_series(reporter: RecordingReporter) -> None:
    app = empty_site("many")
    for number in range(20):
        app.add_url_rule(f"/r{number}", f"r{number}", lambda: "ok")
    instrument_app(app, reporter=reporter, max_series=5)
    client = app.test_client()
    for number in range(20):
        client.get(f"/r{number}")
    assert wf_instrument.flush(5)
    assert reporter.count(route="_OVERFLOW_") == 15
    assert reporter.count() == 20


def test_excluded_urls_leave_no_trace(reporter: RecordingReporter) -> None:
    app = instrument_app(make_site(), reporter=reporter, excluded_urls=["^/only"])
    assert app.test_client().get("/only-get").data == b"got"
    wf_instrument.flush(5)
    assert reporter.requests == ()
    assert reporter.spans == ()


def test_instrumenting_twice_records_once(reporter: RecordingReporter) -> None:
    app = instrument_app(instrument_app(make_site(), reporter=reporter), reporter=reporter)
    FlaskTracing(app=app)
    app.test_client().get("/")
    assert only_row(reporter).count == 1


def test_an_app_mounted_in_an_instrumented_app_is_timed_once_and_named_by_the_inner_route(
    reporter: RecordingReporter,
) -> None:
    inner = instrument_app(make_site(), reporter=reporter)
    outer = make_site()
    outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/inner": inner})  # type: ignore[method-assign]  # Flask's way
    instrument_app(outer, reporter=reporter)
    assert outer.test_client().get("/inner/shop/item/3").data == b"3"
    row = only_row(reporter)
    assert (row.key.route, row.count) == ("/shop/item/<int:number>", 1)
    (span,) = reporter.spans
    assert dict(span.tags)["http.url"] == "http://localhost/inner/shop/item/3"


def test_the_cpu_time_of_an_async_view_is_charged_to_its_request(
    reporter: RecordingReporter,
) -> None:
    with site(reporter) as port:
        status, _, body = fetch(port, "/async")
    row = only_row(reporter)
    assert status == 200
    assert row.cpu is not None
    # All that the view took by its thread's clock, whichever thread that was.
    assert row.cpu.sum >= float(body) > 0.001


def test_the_wait_in_front_of_us_is_taken_from_the_proxys_header(
    reporter: RecordingReporter,
) -> None:
    import time

    app = instrument_app(make_site(), reporter=reporter)
    client = app.test_client()
    client.get("/", headers={"X-Request-Start": f"t={time.time() - 2:.3f}"})
    client.get("/", headers={"X-Request-Start": "t=tomorrow"})
    client.get("/", headers={"X-Request-Start": "t=12"})
    row = only_row(reporter)
    assert row.queued is not None
    assert (row.count, row.queued.count) == (3, 1)
    assert 1.9 < row.queued.sum < 30


@pytest.mark.slow
def test_totals_are_exact_after_many_concurrent_requests(reporter: RecordingReporter) -> None:
    app = instrument_app(make_site(), reporter=reporter, tick_s=0.05, fold_after=50)
    paths = ["/", "/boom", "/stream", "/nowhere", "/style/a/make"]

    def visit(number: int) -> None:
        app.test_client().get(paths[number % len(paths)]).close()

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(visit, range(5000)))
    wf_instrument.flush(5)
    assert reporter.count() == 5000
    assert reporter.count(route="/boom", status=500) == 1000
    assert dict(reporter.snapshot.total_in_flight) == {"flask": 0}
    assert all(row.count == 0 for row in reporter.snapshot.in_flight)
    assert len(reporter.spans) == 5000


def test_what_was_recorded_is_delivered_though_the_application_is_gone(
    reporter: RecordingReporter,
) -> None:
    telemetry_for({"reporter": RecordingReporter()})  # the default of the process
    handle = wf_instrument.instrument(make_site(), reporter=reporter)
    assert handle.app.test_client().get("/style/a/make").data
    handle.uninstrument()
    del handle
    gc.collect()
    assert wf_instrument.flush(5)
    assert reporter.count() == 1


def test_a_switched_off_flask_tracing_leaves_the_application_alone(
    reporter: RecordingReporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WF_ENABLED", "false")
    app = make_site()
    tracing = FlaskTracing(app=app, reporter=reporter)
    app.add_url_rule("/traced", "traced", tracing.trace("path")(lambda: "ok"))
    for path in ("/style/a/make", "/traced"):
        assert app.test_client().get(path).data
    assert wf_instrument.flush(5)
    assert (reporter.count(), reporter.spans) == (0, ())
