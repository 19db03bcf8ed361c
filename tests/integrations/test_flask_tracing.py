"""The server span, and `FlaskTracing` as the Wavefront Flask SDK has it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import flask
import pytest
from wf_instrument.integrations.flask import FlaskTracing, instrument_app

import wf_instrument
from flask_site import empty_site, make_site
from wf_instrument import ApplicationTags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.testing import RecordingReporter

TAGS = ApplicationTags(
    "Ordering", "styling", "us-west-1", "primary", [("location", "Oregon"), ("env", "Staging")]
)


def test_the_span_has_the_tags_of_the_contract(reporter: RecordingReporter) -> None:
    app = instrument_app(make_site(), reporter=reporter, application_tags=TAGS)
    app.test_client().get("/style/x-1/make?secret=1")
    wf_instrument.flush(5)
    (span,) = reporter.spans
    assert span.name == "make_shirts"
    assert dict(span.tags) == {
        "application": "Ordering",
        "service": "styling",
        "cluster": "us-west-1",
        "shard": "primary",
        "location": "Oregon",
        "env": "Staging",
        "component": "flask",
        "span.kind": "server",
        "http.method": "GET",
        "http.url": "http://localhost/style/x-1/make",
        "http.status_code": "200",
        "flask.func": "make_shirts",
        "http.route": "/style/<path:id>/make",
    }


def test_a_traceparent_header_makes_the_caller_the_parent(reporter: RecordingReporter) -> None:
    app = instrument_app(make_site(), reporter=reporter)
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    app.test_client().get("/", headers={"traceparent": f"00-{trace}-{parent}-01"})
    wf_instrument.flush(5)
    (span,) = reporter.spans
    assert span.trace_id == int(trace, 16)
    assert span.parents == ((int(trace, 16), int(parent, 16)),)


def test_wavefront_headers_make_the_caller_the_parent(reporter: RecordingReporter) -> None:
    app = instrument_app(make_site(), reporter=reporter)
    trace, parent = uuid.uuid4(), uuid.UUID(int=77)
    headers = {"wf-ot-traceid": str(trace), "wf-ot-spanid": str(parent), "wf-ot-sample": "True"}
    app.test_client().get("/", headers=headers)
    wf_instrument.flush(5)
    (span,) = reporter.spans
    assert (span.trace_id, span.parents[0][1]) == (trace.int, 77)


def test_untrusted_callers_begin_a_new_trace(reporter: RecordingReporter) -> None:
    app = instrument_app(make_site(), reporter=reporter, trust_incoming=False)
    app.test_client().get("/", headers={"traceparent": "00-" + "4b" * 16 + "-" + "12" * 8 + "-01"})
    wf_instrument.flush(5)
    (span,) = reporter.spans
    assert span.trace_id != int("4b" * 16, 16)
    assert span.parents == ()


def test_the_server_span_is_active_in_the_view_and_the_stream_and_not_after(
    reporter: RecordingReporter,
) -> None:
    app = make_site()
    seen: list[object] = []

    @app.route("/children")
    def children() -> flask.Response:
        tracer = wf_instrument.get_tracer()
        seen.append(tracer.active_span)
        with tracer.start_active_span("child"):
            pass

        def lines() -> Iterator[str]:
            seen.append(tracer.active_span)
            yield "x"

        return flask.Response(lines())

    instrument_app(app, reporter=reporter)
    app.test_client().get("/children").close()
    assert wf_instrument.get_tracer().active_span is None
    wf_instrument.flush(5)
    child, server = reporter.spans
    assert (child.name, server.name) == ("child", "children")
    assert child.parents == ((server.trace_id, server.span_id),)
    assert len(seen) == 2
    assert seen[0] is seen[1] is not None


def test_error_statuses_decide_which_statuses_fail_the_span(reporter: RecordingReporter) -> None:
    app = instrument_app(make_site(), reporter=reporter, error_statuses="404,500-599")
    client = app.test_client()
    client.get("/nowhere")
    client.get("/handled")
    wf_instrument.flush(5)
    assert [span.is_error for span in reporter.spans] == [True, False]


def test_metrics_do_not_depend_on_sampling(reporter: RecordingReporter) -> None:
    app = instrument_app(make_site(), reporter=reporter, sample_rate=0.0)
    app.test_client().get("/")
    wf_instrument.flush(5)
    assert (reporter.count(route="/"), reporter.spans) == (1, ())


def test_start_span_cb_gets_span_and_request_and_traced_attributes_become_tags(
    reporter: RecordingReporter,
) -> None:
    app = make_site()
    FlaskTracing(
        reporter=reporter,
        application_tags=TAGS,
        app=app,
        traced_attributes=["url", "no_such_attribute"],
        start_span_cb=lambda span, request: span.set_tag("agent", request.user_agent.string),
    )
    app.test_client().get("/", headers={"User-Agent": "probe"})
    wf_instrument.flush(5)
    tags = dict(reporter.spans[0].tags)
    assert (tags["agent"], tags["url"]) == ("probe", "http://localhost/")
    assert "no_such_attribute" not in tags


@pytest.mark.expects_caught
def test_a_raising_start_span_cb_is_swallowed(reporter: RecordingReporter) -> None:
    def fail(span: object, request: object) -> None:
        raise RuntimeError("callback broken on purpose")

    app = make_site()
    FlaskTracing(reporter=reporter, app=app, start_span_cb=fail)
    assert app.test_client().get("/").status_code == 200


def test_wrong_arguments_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="start_span_cb should be a callable"):
        FlaskTracing(start_span_cb="print")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match="needs the application"):
        FlaskTracing(trace_all_requests=True)


def test_trace_decorates_views_of_an_app_whose_requests_are_not_all_traced(
    reporter: RecordingReporter,
) -> None:
    app = make_site()
    tracing = FlaskTracing(reporter=reporter, app=app, trace_all_requests=False)

    @app.route("/decorated")
    @tracing.trace("url", "method")
    def decorated() -> str:
        span = tracing.get_span()
        assert span is not None
        return span.get_tags_as_map()["method"][0]

    client = app.test_client()
    assert client.get("/decorated").data == b"GET"
    client.get("/")
    wf_instrument.flush(5)
    (span,) = reporter.spans
    assert (span.name, dict(span.tags)["url"]) == ("decorated", "http://localhost/decorated")
    assert reporter.count() == 2


def test_trace_alone_records_decorated_views_of_any_app(reporter: RecordingReporter) -> None:
    tracing = FlaskTracing(reporter=reporter, application_tags=TAGS)
    app = empty_site("plain")

    @app.route("/ok")
    @tracing.trace()
    def ok() -> str:
        return "ok"

    @app.route("/async-ok")
    @tracing.trace()
    async def async_ok() -> str:
        return "ok"

    @app.route("/gone")
    @tracing.trace()
    def gone() -> str:
        flask.abort(410)

    @app.route("/boom")
    @tracing.trace()
    def boom() -> str:
        raise ValueError("no")

    client = app.test_client()
    for path in ("/ok", "/async-ok", "/gone", "/boom"):
        client.get(path)
    wf_instrument.flush(5)
    statuses = {row.key.route: row.key.status for row in reporter.requests}
    assert statuses == {"/ok": 200, "/async-ok": 200, "/gone": 410, "/boom": 500}
    assert {span.name for span in reporter.spans} == {"ok", "async_ok", "gone", "boom"}


def test_a_decorated_view_has_headers_captured_and_told_and_a_line_logged(
    reporter: RecordingReporter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WF_CAPTURED_REQUEST_HEADERS", "x-tenant authorization")
    monkeypatch.setenv("WF_CAPTURED_RESPONSE_HEADERS", "content-type")
    monkeypatch.setenv("WF_TRACE_RESPONSE", "yes")
    monkeypatch.setenv("WF_SERVER_TIMING", "yes")
    monkeypatch.setenv("WF_LOG_LINE", "text")
    caplog.set_level("INFO", "wf_instrument.access")
    app = empty_site("decorated")
    tracing = FlaskTracing(reporter=reporter)

    @app.route("/cart")
    @tracing.trace()
    def cart() -> str:
        return "3 shirts"

    response = app.test_client().get("/cart", headers={"X-Tenant": "north", "Authorization": "Me"})
    wf_instrument.flush(5)
    (span,) = reporter.spans
    assert {pair for pair in span.tags if ".header." in pair[0]} == {
        ("http.request.header.x-tenant", "north"),
        ("http.request.header.authorization", "[redacted]"),
        ("http.response.header.content-type", "text/html; charset=utf-8"),
    }
    assert f"{span.trace_id:032x}" in response.headers["traceresponse"]
    assert response.headers["Server-Timing"].startswith("app;dur=")
    (line,) = [one for one in caplog.records if one.name == "wf_instrument.access"]
    assert " path=/cart route=/cart func=cart status=200 " in line.getMessage()


def test_a_decorated_view_believes_the_callers_that_settings_name(
    reporter: RecordingReporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WF_TRUST_INCOMING", "10.0.0.0/8")
    app = empty_site("decorated")
    tracing = FlaskTracing(reporter=reporter)

    @app.route("/cart")
    @tracing.trace()
    def cart() -> str:
        return "3 shirts"

    headers = {"traceparent": "00-" + "4b" * 16 + "-" + "12" * 8 + "-01"}
    for peer in ("10.1.2.3", "11.1.2.3"):
        app.test_client().get("/cart", headers=headers, environ_base={"REMOTE_ADDR": peer})
    wf_instrument.flush(5)
    assert [bool(span.parents) for span in reporter.spans] == [True, False]
