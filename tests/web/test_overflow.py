"""Requests of routes past `max_series`."""

from __future__ import annotations

from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from wf_instrument.integrations.wsgi import TelemetryMiddleware

import wf_instrument
from wf_instrument.testing import RecordingReporter


@pytest.fixture
def reporter() -> Any:
    yield RecordingReporter()
    wf_instrument.shutdown()


def test_a_request_counts_once_as_overflowed_however_many_drains_meet_it(
    reporter: RecordingReporter,
) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        # Each looks for the routes of what is in flight.
        assert wf_instrument.flush(5)
        assert wf_instrument.flush(5)
        start_response("200 OK", [])
        return [b"seen"]

    middleware: Any = TelemetryMiddleware(
        app,
        route_of=lambda environ: environ["PATH_INFO"],
        reporter=reporter,
        max_series=1,
        tick_s=60,
    )
    for path in ("/first", "/second"):
        environ: dict[str, Any] = {"PATH_INFO": path}
        setup_testing_defaults(environ)
        for _ in middleware(environ, lambda *_: None):
            pass
    assert wf_instrument.flush(5)
    values = {point.name: point.value for point in reporter.snapshot.self_points}
    assert values["wf_instrument.routes.overflowed"] == 1
