"""What users test their applications with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flask
import pytest

import wf_instrument
from flask_site import ReadingClient
from wf_instrument.testing import ManualClock, SeededIds
from wf_instrument.tracing import InMemoryReporter, WavefrontTracer

if TYPE_CHECKING:
    from wf_instrument.testing import RecordingReporter


def shop() -> flask.Flask:
    app = flask.Flask("shop")
    app.test_client_class = ReadingClient

    @app.route("/cart/<int:number>")
    def cart(number: int) -> str:
        with wf_instrument.span("prices", cart=number):
            return str(1 / number)

    return wf_instrument.instrument(app).app


def test_requests_and_spans_are_asserted_in_one_line_each(wf_recorder: RecordingReporter) -> None:
    client = shop().test_client()
    client.get("/cart/1")
    client.get("/cart/0")
    wf_recorder.assert_request(route="/cart/<int:number>", status=200, count=1)
    wf_recorder.assert_request(outcome="server_error")
    wf_recorder.assert_request(count=2)
    span = wf_recorder.assert_span("prices", cart=1, is_error=False)
    assert span.parents
    wf_recorder.assert_span("prices", cart=0, is_error=True)


def test_another_test_starts_with_nothing(wf_recorder: RecordingReporter) -> None:
    assert wf_recorder.requests == ()
    assert wf_recorder.spans == ()


def test_a_failing_assertion_says_what_there_is(wf_recorder: RecordingReporter) -> None:
    with pytest.raises(AssertionError, match="recorded:\n  none"):
        wf_recorder.assert_request()
    shop().test_client().get("/cart/1")
    with pytest.raises(AssertionError) as caught:
        wf_recorder.assert_request(status=404)
    assert str(caught.value) == (
        "0 requests with status=404, expected at least 1; recorded:\n"
        "  1 x GET /cart/<int:number> -> 200"
    )
    with pytest.raises(AssertionError, match=r"no span 'prices' with {'cart': '2'}; recorded"):
        wf_recorder.assert_span("prices", cart=2)


def test_seeded_ids_are_the_same_in_every_run() -> None:
    def ids() -> list[int]:
        reporter = InMemoryReporter()
        tracer = WavefrontTracer(reporter)
        tracer.start_span("a", ignore_active_span=True).finish()
        return [span.trace_id_int for span in reporter.spans]

    with SeededIds(7):
        first = ids()
    with SeededIds(7):
        assert ids() == first
    assert ids() != first


def test_the_clock_moves_when_told() -> None:
    clock = ManualClock(5.0)
    clock.advance(2.5)
    assert clock() == 7.5
