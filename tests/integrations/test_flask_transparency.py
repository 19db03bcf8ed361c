"""The application behaves the same with and without us, even when we fail."""

from __future__ import annotations

import os
import threading

import pytest
from werkzeug.test import EnvironBuilder
from wf_instrument.integrations.flask import instrument_app

import wf_instrument
from flask_site import fetch, fetch_and_hang_up, make_site, served
from wf_instrument.guard import errors_caught
from wf_instrument.testing import RecordingReporter

CASES = [
    ("GET", "/"),
    ("GET", "/style/x-1/make"),
    ("GET", "/boom"),
    ("GET", "/handled"),
    ("GET", "/stream"),
    ("GET", "/redirect"),
    ("GET", "/file"),
    ("GET", "/nowhere"),
    ("HEAD", "/"),
    ("HEAD", "/stream"),
    ("OPTIONS", "/"),
    ("DELETE", "/only-get"),
    ("POST", "/upload"),
]


def test_responses_are_the_same_header_by_header_and_byte_by_byte(
    reporter: RecordingReporter,
) -> None:
    body = os.urandom(1000)
    with served(make_site()) as port:
        plain = [
            fetch(port, path, method, body if method == "POST" else None) for method, path in CASES
        ]
    with served(instrument_app(make_site(), reporter=reporter)) as port:
        ours = [
            fetch(port, path, method, body if method == "POST" else None) for method, path in CASES
        ]
    assert ours == plain


@pytest.mark.expects_caught
@pytest.mark.parametrize("broken", ["report", "tracer", "route", "clock"])
def test_no_failure_of_ours_reaches_the_client(
    reporter: RecordingReporter, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = instrument_app(make_site(), reporter=reporter)
    driver = app.wsgi_app
    recorder = driver.recorder  # type: ignore[attr-defined]  # the wrapped callable

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("broken on purpose")

    target = {
        "report": (reporter, "report"),
        "tracer": (recorder.tracer, "start_root"),
        "route": (driver, "route_of"),
        "clock": (recorder, "cpu_clock"),
    }[broken]
    monkeypatch.setattr(*target, fail)
    before = sum(errors_caught.values())
    client = app.test_client()
    assert client.get("/style/x-1/make").data == b"Shirts x-1 made."
    assert client.get("/boom").status_code == 500
    assert b"".join(client.get("/stream").response).startswith(b"line 0")
    wf_instrument.flush(5)
    assert sum(errors_caught.values()) > before
    assert recorder.live == set()


def test_a_client_that_resets_the_connection_leaves_nothing_in_flight(
    reporter: RecordingReporter,
) -> None:
    app = make_site()

    @app.route("/endless")
    def endless() -> object:
        import flask

        return flask.Response(b"x" * 65536 for _ in range(10_000))

    instrument_app(app, reporter=reporter)
    with served(app) as port:
        fetch_and_hang_up(port, "/endless")
    wf_instrument.flush(5)
    (row,) = reporter.requests
    assert (row.key.route, row.key.outcome) == ("/endless", "client_disconnect")
    assert dict(reporter.snapshot.total_in_flight) == {"flask": 0}


def test_forged_trace_headers_begin_a_new_trace(reporter: RecordingReporter) -> None:
    app = instrument_app(make_site(), reporter=reporter)
    client = app.test_client()
    for header in ("00-zz", "x" * 10_000, "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "\u00ff"):
        assert client.get("/", headers={"traceparent": header}).status_code == 200
        assert client.get("/", headers={"wf-ot-traceid": header}).status_code == 200
    wf_instrument.flush(5)
    assert len({span.trace_id for span in reporter.spans}) == 8
    assert all(span.parents == () for span in reporter.spans)


def test_a_request_about_to_end_is_recorded_by_a_shutdown_just_then() -> None:
    reporter = RecordingReporter()
    app = instrument_app(make_site(), reporter=reporter)
    has_shut_down = threading.Event()

    def shut_down() -> None:
        wf_instrument.shutdown(5)
        has_shut_down.set()

    answer = app.wsgi_app(EnvironBuilder(path="/").get_environ(), lambda *_: lambda _: None)
    closer = threading.Thread(target=shut_down)
    closer.start()
    assert not has_shut_down.wait(0.02)
    b"".join(answer)
    answer.close()
    closer.join()
    assert [row.count for row in reporter.snapshot.requests] == [1]
