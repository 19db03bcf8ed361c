"""The reporters to look at: a table on a stream, lines of JSON in a file."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from samples import histogram, request_row, snapshot, span, websocket_row
from wf_instrument.reporting.console import ConsoleReporter
from wf_instrument.reporting.file import FileReporter
from wf_instrument.reporting.snapshot import Point, WebSocketEnd


def test_the_table_counts_the_spans_that_came_ahead_of_it() -> None:
    stream = io.StringIO()
    reporter = ConsoleReporter(stream)
    reporter.report(snapshot(spans=[span("a", 1), span("b", 2)]))
    assert stream.getvalue() == ""
    reporter.report(snapshot(requests=[request_row("/a", 200, [0.01])], spans=[span("c", 3)]))
    assert "3 spans" in stream.getvalue()
    reporter.report(snapshot(requests=[request_row("/a", 200, [0.01])]))
    assert "0 spans" in stream.getvalue()


def test_a_closed_stream_is_counted_and_does_not_fail() -> None:
    stream = io.StringIO()
    reporter = ConsoleReporter(stream)
    stream.close()
    assert reporter.report(snapshot(requests=[request_row("/a", 200, [0.01])])) == 0
    assert reporter.dropped == 1


def test_a_process_without_standard_error_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    reporter = ConsoleReporter()
    assert reporter.report(snapshot(requests=[request_row("/a", 200, [0.01])])) == 0
    assert reporter.dropped == 1


def test_every_line_of_the_file_is_strict_json_and_names_its_process(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    reporter = FileReporter(path)
    points = (Point("g", math.nan, "gauge"), Point("h", math.inf, "gauge"))
    sent = snapshot(requests=[request_row("/a", 200, [0.01])], spans=[span("c", 3)], points=points)
    assert reporter.report(sent) == 4

    def refuse(word: str) -> None:
        raise AssertionError(word)

    lines = [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["request", "point", "point", "span"]
    assert all(line["source"] == "host-1" for line in lines)
    assert all(line["application_tags"]["application"] == "Ordering" for line in lines)
    assert [line["value"] for line in lines[1:3]] == [None, None]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_lines_that_a_full_disk_refuses_are_counted() -> None:
    # The kernel's own full disk.
    reporter = FileReporter(Path("/dev/full"))
    assert reporter.report(snapshot(spans=[span("a", 1), span("b", 2)])) == 0
    assert reporter.dropped == 2


def test_websockets_have_a_table_of_their_own() -> None:
    stream = io.StringIO()
    rows = [
        websocket_row("/chat", WebSocketEnd(101), WebSocketEnd(500, "server_error"), in_flight=7),
        websocket_row(None, WebSocketEnd(403, "client_error")),
    ]
    ConsoleReporter(stream).report(snapshot(websockets=rows))
    _, head, line, *figures = stream.getvalue().splitlines()
    assert head.split() == ["websocket", "open", "ended", "errors", "received", "sent"]
    assert len(head) == len(line)
    assert [text.split() for text in figures if text] == [
        ["WS", "/chat", "7", "2", "1", "4", "6"],
        ["WS", "UNKNOWN", "0", "1", "1", "2", "3"],
    ]


def test_work_that_outlasts_its_requests_interval_is_no_row_of_the_table() -> None:
    stream = io.StringIO()
    rest = replace(request_row("/a", 200, []), background=histogram([3.0]))
    assert ConsoleReporter(stream).report(snapshot(requests=[rest])) == 1
    assert stream.getvalue() == ""


def test_a_websocket_is_a_line_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    row = websocket_row("/chat", WebSocketEnd(101), WebSocketEnd(101), in_flight=7)
    assert FileReporter(path).report(snapshot(websockets=[row])) == 1
    line = json.loads(path.read_text())
    assert (line["kind"], line["route"], line["in_flight"]) == ("websocket", "/chat", 7)
    assert line["connections"] == [{"status": 101, "outcome": "ok", "error_type": None, "count": 2}]
    assert (line["messages_received"], line["messages_sent"]) == (4, 6)
    assert (line["duration"]["count"], line["duration"]["p50"]) == (2, 2.0)
