"""The server span of a WebSocket connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import wf_instrument
from websocket_site import (
    come_and_go,
    only_row,
    open_socket,
    site,
    visit,
    wait_for_spans,
)
from wf_instrument.testing import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def reporter() -> Iterator[RecordingReporter]:
    yield RecordingReporter()
    wf_instrument.shutdown(5)


def test_the_span_lasts_over_the_connection_and_tells_how_it_was(
    reporter: RecordingReporter,
) -> None:
    with site(reporter, url_query=False) as port:
        come_and_go(port, "/room/3?token=secret", 4000)
        (span,) = wait_for_spans(reporter)
    tags = dict(span.tags)
    assert span.name == "echo"
    assert tags["span.kind"] == "server"
    assert tags["component"] == "starlette"
    assert tags["http.method"] == "GET"
    assert tags["http.url"] == f"ws://127.0.0.1:{port}/room/3"
    assert tags["http.status_code"] == "101"
    assert tags["http.route"] == "/room/{id:int}"
    assert tags["starlette.func"] == "echo"
    assert tags["websocket.close_code"] == "4000"


def test_the_span_of_a_refused_connection_has_its_status_and_no_close_code(
    reporter: RecordingReporter,
) -> None:
    with site(reporter) as port:
        visit(port, "/refuse")
        (span,) = wait_for_spans(reporter)
    tags = dict(span.tags)
    assert (tags["http.status_code"], tags.get("websocket.close_code")) == ("403", None)
    assert not span.is_error


def test_the_span_continues_the_clients_trace_and_is_active_in_the_handler(
    reporter: RecordingReporter,
) -> None:
    trace_id, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    headers = {"traceparent": f"00-{trace_id}-{parent}-01"}
    with (
        site(reporter) as port,
        open_socket(port, "/trace", additional_headers=headers) as client,
    ):
        answer = client.recv(timeout=5)
        (span,) = wait_for_spans(reporter)
    assert answer == f"{trace_id} True"
    assert span.parents == ((int(trace_id, 16), int(parent, 16)),)


def test_excluded_urls_leave_no_trace(reporter: RecordingReporter) -> None:
    with site(reporter, excluded_urls=["^/echo"]) as port:
        come_and_go(port, "/echo")
        come_and_go(port, "/polite")
        assert only_row(reporter).key.route == "/polite"
        (span,) = wait_for_spans(reporter)
    assert span.name == "polite"


def test_spans_alone_are_recorded_without_metrics(reporter: RecordingReporter) -> None:
    with site(reporter, metrics=False) as port:
        come_and_go(port, "/echo")
        (span,) = wait_for_spans(reporter)
    assert (span.name, reporter.websockets) == ("echo", ())
