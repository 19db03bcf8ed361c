"""Lines read back: what we write gives its values again, and what people write is understood."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wf_instrument.backends.wavefront.event_lines import event_to_line_data
from wf_instrument.backends.wavefront.line_parser import parse_line
from wf_instrument.backends.wavefront.lines import histogram_to_line_data, metric_to_line_data
from wf_instrument.backends.wavefront.span_lines import (
    span_log_to_line_data,
    tracing_span_to_line_data,
)
from wf_instrument.backends.wavefront.text import clean_name, clean_value
from wf_instrument.reporting.datum import (
    EventDatum,
    HistogramDatum,
    MetricDatum,
    SpanDatum,
    SpanLogDatum,
)
from wf_instrument.tracing.span_data import SpanLog

if TYPE_CHECKING:
    from collections.abc import Callable

ID = UUID("7b3bf470-9456-11e8-9eb6-529269fb1459")
#: Text with plenty of what ends lines, quotes and escapes; URLs among it.
TEXT = st.one_of(
    st.text(),
    st.text('a"\\\n\r\t\x00\x0b\x1c\x85\u2028\u2029 ={}#!@\ud800', max_size=12),
    st.sampled_from(['http://h/p?q=1&r="x"#f', "!M", "@Event", "traceId", "source", "∆d", "1"]),
)
TIMES = st.one_of(st.none(), st.integers(-(10**11), 10**11))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def line_or_none(make: Callable[[], str]) -> str | None:
    try:
        line = make()
    except ValueError:
        return None
    assert line.endswith("\n")
    assert len(line.splitlines()) == 1
    line.encode()
    return line


def tags_read(pairs: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the tags as a reader should find them: the first `source` among them is the source."""
    return tuple((clean_name(key), clean_value(value)) for key, value in pairs.items())


@given(TEXT, NUMBERS, TIMES, TEXT, st.dictionaries(TEXT, TEXT, max_size=4))
def test_any_metric_reads_back_or_is_refused(
    name: str, value: float, time_s: int | None, source: str, tags: dict[str, str]
) -> None:
    line = line_or_none(lambda: metric_to_line_data(name, value, time_s, source, tags, "d"))
    if line is None:
        assert not name.strip() or any(not k.strip() or not v.strip() for k, v in tags.items())
        return
    assert parse_line(line) == MetricDatum(
        clean_name(name), value, time_s, clean_value(source) or "d", tags_read(tags)
    )


@given(
    TEXT, st.lists(st.tuples(NUMBERS, st.integers(1, 10**9)), min_size=1, max_size=5), TIMES,
    TEXT, st.dictionaries(TEXT, TEXT, max_size=4), st.sampled_from(["!M", "!H", "!D"]),
)  # fmt: skip
def test_any_histogram_reads_back_or_is_refused(
    name: str,
    centroids: list[tuple[float, int]],
    time_s: int | None,
    source: str,
    tags: dict[str, str],
    granularity: str,
) -> None:
    line = line_or_none(
        lambda: histogram_to_line_data(name, centroids, [granularity], time_s, source, tags, "d")
    )
    if line is not None:
        assert parse_line(line) == HistogramDatum(
            granularity,
            time_s,
            tuple(centroids),
            clean_name(name),
            clean_value(source) or "d",
            tags_read(tags),
        )


@given(
    TEXT, TEXT, st.lists(st.uuids(), max_size=2), st.lists(st.uuids(), max_size=2),
    st.lists(st.tuples(TEXT, TEXT), max_size=4, unique=True),
)  # fmt: skip
def test_any_span_reads_back_or_is_refused(
    name: str,
    source: str,
    parents: list[UUID],
    follows: list[UUID],
    tags: list[tuple[str, str]],
) -> None:
    line = line_or_none(
        lambda: tracing_span_to_line_data(
            name, 5, 7, source, ID, ID, parents, follows, tags, None, "d"
        )
    )
    ids = {"traceId", "spanId", "parent", "followsFrom", "source"}
    if line is not None and not ids & {clean_name(key) for key, _ in tags}:
        assert parse_line(line) == SpanDatum(
            clean_value(name),
            clean_value(source) or "d",
            ID,
            ID,
            tuple(parents),
            tuple(follows),
            tuple((clean_name(key), clean_value(value)) for key, value in tags),
            5,
            7,
        )


@given(TEXT, TEXT, st.lists(TEXT, max_size=3), st.dictionaries(TEXT, TEXT, max_size=3))
def test_any_event_reads_back_or_is_refused(
    name: str, source: str, tags: list[str], annotations: dict[str, str]
) -> None:
    line = line_or_none(lambda: event_to_line_data(name, 5, 7, source, tags, annotations, "d"))
    if line is not None and not {"host", "tag", ""} & {clean_name(key) for key in annotations}:
        assert parse_line(line) == EventDatum(
            clean_value(name),
            5,
            7,
            clean_value(source) or "d",
            tuple(map(clean_value, tags)),
            tags_read(annotations),
        )


@given(st.dictionaries(TEXT, TEXT, max_size=3), st.integers(0, 10**16))
def test_any_span_log_reads_back(fields: dict[str, str], time_us: int) -> None:
    line = span_log_to_line_data(ID, ID, [SpanLog(time_us, tuple(fields.items()))], "the line\n")
    assert len(line.splitlines()) == 1
    assert parse_line(line) == SpanLogDatum(ID, ID, ((time_us, tuple(fields.items())),))


@given(st.text())
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    with suppress(ValueError):
        assert parse_line(text) is not None


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (
            "new_york.power.usage 42422 1533529977 source=localhost datacenter=dc1",
            MetricDatum(
                "new_york.power.usage", 42422.0, 1533529977, "localhost", (("datacenter", "dc1"),)
            ),
        ),
        ('"cpu" 1e-3', MetricDatum("cpu", 0.001, None, None, ())),
        (
            "!M 1533529977 #20 30 #10 5.1 request.latency source=appServer1 region=us-west",
            HistogramDatum(
                "!M",
                1533529977,
                ((30.0, 20), (5.1, 10)),
                "request.latency",
                "appServer1",
                (("region", "us-west"),),
            ),
        ),
        (
            f"getAllUsers source=s traceId={ID} spanId={ID} parent={ID} http.method=GET 15 34",
            SpanDatum("getAllUsers", "s", ID, ID, (ID,), (), (("http.method", "GET"),), 15, 34),
        ),
        (
            '@Event 1592200048 1592201048 "event name" severity="info" host="localhost" tag="env"',
            EventDatum(
                "event name", 1592200048, 1592201048, "localhost", ("env",), (("severity", "info"),)
            ),
        ),
    ],
)
def test_what_people_write_is_understood(line: str, read: object) -> None:
    assert parse_line(line) == read


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "empty"),
        ("cpu", "a name and a value"),
        ("cpu high", "'high', which is no finite number"),
        ("cpu NaN", "no finite number"),
        ("cpu 1e999", "no finite number"),
        ("cpu 1 source", "no key=value"),
        ('cpu 1 source="open', "neither a word nor"),
        ('cpu 1 k=""', "neither may be blank"),
        ('" " 1', "name is blank"),
        ("!M #0 1 h", "0 values"),
        ("!M h", "centroids"),
        ("!M #1 1", "name behind"),
        ("op traceId=1 spanId=2 3 4", "no UUID"),
        ("op a=b 3 4", "one traceId"),
        (f"op traceId={ID} 3 4", "one spanId"),
        (f"op traceId={ID} spanId={ID}", "ends with start and duration"),
        ("@Event 1 2", "begins with @Event"),
        ("@Event a 2 name", "no whole number"),
        ("{}", "JSON object"),
        ('{"logs": [{"timestamp": 1e999, "fields": {}}]}', "JSON object"),
        ('{"traceId": "x", "spanId": "y", "logs": []}', "no UUID"),
    ],
)
def test_what_cannot_be_read_is_told(line: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_line(line)


def test_numbers_survive_to_the_last_bit() -> None:
    for value in (math.pi, -0.0, 5e-324, 1.7976931348623157e308):
        read = parse_line(metric_to_line_data("m", value, None, "s", None))
        assert isinstance(read, MetricDatum)
        assert math.copysign(1, read.value) == math.copysign(1, value)
        assert read.value == value
