"""Lines: byte-identical to the documented examples, and never breakable from outside."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wf_instrument.backends.wavefront import (
    histogram_granularity,
    histogram_to_line_data,
    metric_to_line_data,
    span_log_to_line_data,
    tracing_span_to_line_data,
)
from wf_instrument.backends.wavefront.text import sanitize, sanitize_value
from wf_instrument.tracing.span_data import SpanLog

TRACE = UUID("7b3bf470-9456-11e8-9eb6-529269fb1459")
SPAN = UUID("0313bafe-9457-11e8-9eb6-529269fb1459")
PARENT = UUID("2f64e538-9457-11e8-9eb6-529269fb1459")
FOLLOWS = UUID("5f64e538-9457-11e8-9eb6-529269fb1459")


def test_the_metric_example_is_byte_identical() -> None:
    assert (
        metric_to_line_data(
            "new-york.power.usage", 42422, 1493773500, "localhost", {"datacenter": "dc1"}, "default"
        )
        == '"new-york.power.usage" 42422.0 1493773500 source="localhost" "datacenter"="dc1"\n'
    )


def test_the_histogram_example_is_byte_identical() -> None:
    g = histogram_granularity
    rest = ' 1493773500 #20 30.0 #10 5.1 "request.latency" source="appServer1" "region"="us-west"\n'
    assert (
        histogram_to_line_data(
            "request.latency",
            [(30.0, 20), (5.1, 10)],
            {g.DAY, g.HOUR, g.MINUTE},
            1493773500,
            "appServer1",
            {"region": "us-west"},
            "default",
        )
        == f"!D{rest}!H{rest}!M{rest}"
    )


def test_the_span_example_is_byte_identical() -> None:
    assert tracing_span_to_line_data(
        "getAllUsers",
        1552949776000,
        343,
        "localhost",
        TRACE,
        SPAN,
        [PARENT],
        [FOLLOWS],
        [("application", "Wavefront"), ("http.method", "GET")],
        None,
        "default",
    ) == (
        f'"getAllUsers" source="localhost" traceId={TRACE} spanId={SPAN} parent={PARENT} '
        f'followsFrom={FOLLOWS} "application"="Wavefront" "http.method"="GET" 1552949776000 343\n'
    )


def test_a_span_with_logs_is_marked_and_the_callers_tags_are_not_changed() -> None:
    tags = [("a", "1"), ("a", "1"), ("a", "2")]
    logs = [SpanLog(1_552_949_776_000_000, (("event", "error"),))]
    line = tracing_span_to_line_data("op", 1, 2, "s", TRACE, SPAN, [], [], tags, logs, "d")
    assert line.endswith('"a"="1" "a"="2" "_spanLogs"="true" 1 2\n')
    assert tags == [("a", "1"), ("a", "1"), ("a", "2")]
    log = json.loads(span_log_to_line_data(TRACE, SPAN, logs, line))
    assert log["logs"] == [{"timestamp": 1_552_949_776_000_000, "fields": {"event": "error"}}]
    assert (log["traceId"], log["span"]) == (str(TRACE), line)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("a/b c", '"a-b-c"'), ("~internal", '"~internal"'), ("∆delta", '"∆delta"'),
        ("Δ~both", '"Δ~both"'), ("a~b", '"a-b"'), ("path:id", '"path-id"'), ("é", '"-"'),
    ],
)  # fmt: skip
def test_names_keep_only_what_the_format_allows(name: str, clean: str) -> None:
    assert sanitize(name) == clean


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        ('  say "hi"\n', '"say \\"hi\\""'), ("a\nb", '"a\\nb"'),
        ("a\rb\x00\u2028\x85c", '"a-b---c"'),
        ("ends in \\", '"ends in \\\\"'), ("ünï", '"ünï"'),
    ],
)  # fmt: skip
def test_values_are_escaped(value: str, clean: str) -> None:
    assert sanitize_value(value) == clean


@pytest.mark.parametrize("blank", ["", "  ", None])
def test_blank_names_keys_and_values_are_refused(blank: str) -> None:
    with pytest.raises(ValueError, match="metric name"):
        metric_to_line_data(blank, 1, None, "s", None, "d")
    with pytest.raises(ValueError, match="without a key"):
        metric_to_line_data("m", 1, None, "s", {blank: "v"}, "d")
    with pytest.raises(ValueError, match="tag 'k'"):
        metric_to_line_data("m", 1, None, "s", {"k": blank}, "d")
    assert 'source="d"' in metric_to_line_data("m", 1, None, blank, None, "d")


def test_a_histogram_needs_centroids_and_a_granularity() -> None:
    with pytest.raises(ValueError, match="no centroids"):
        histogram_to_line_data("h", [], {"!M"}, None, "s", None, "d")
    with pytest.raises(ValueError, match="no granularity"):
        histogram_to_line_data("h", [(1, 1)], set(), None, "s", None, "d")


@given(name=st.text(), key=st.text(), value=st.text(), source=st.text())
def test_no_text_can_break_a_line_in_two(name: str, key: str, value: str, source: str) -> None:
    try:
        lines = [
            metric_to_line_data(name, 1, 2, source, {key: value}, "d"),
            histogram_to_line_data(name, [(1, 1)], {"!M"}, 2, source, {key: value}, "d"),
            tracing_span_to_line_data(
                name, 1, 2, source, TRACE, SPAN, [], [], [(key, value)], None, "d"
            ),
        ]
    except ValueError:
        return
    for line in lines:
        assert len(line.splitlines()) == 1
        assert line.endswith("\n")
        assert line.encode()
