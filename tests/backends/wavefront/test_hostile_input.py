"""Whatever comes from outside: one line that reads back by the format's rules, or ValueError."""

from __future__ import annotations

import math
import re
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wf_instrument.backends.wavefront import (
    histogram_granularity,
    histogram_to_line_data,
    metric_to_line_data,
    tracing_span_to_line_data,
)
from wf_instrument.backends.wavefront.text import sanitize_value

ID = UUID(int=1)
NAME = r'"[~∆Δa-zA-Z0-9,\-._]*"'
VALUE = r'"(?:[^"\\]|\\.)*"'
NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?"
METRIC = re.compile(rf"{NAME} {NUMBER}(?: -?\d+)? source={VALUE}(?: {NAME}={VALUE})*\n")
HISTOGRAM = re.compile(
    rf"![MHD](?: -?\d+)?(?: #\d+ {NUMBER})+ {NAME} source={VALUE}(?: {NAME}={VALUE})*\n"
)
SPAN = re.compile(
    rf"{VALUE} source={VALUE} traceId=[0-9a-f-]{{36}} spanId=[0-9a-f-]{{36}}"
    rf"(?: (?:parent|followsFrom)=[0-9a-f-]{{36}})*(?: {NAME}={VALUE})* -?\d+ -?\d+\n"
)
#: Text with plenty of what ends lines, quotes and escapes.
NASTY = st.one_of(
    st.text(), st.text('a"\\\n\r\t\x00\x0b\x1c\x85\u2028\u2029 ={}#\ud800', max_size=12)
)
ANYTHING = st.one_of(NASTY, st.none(), st.integers(), st.floats(), st.booleans())


def is_one(pattern: re.Pattern[str], make: Any) -> None:
    try:
        line = make()
    except ValueError:
        return
    assert len(line.splitlines()) == 1, line
    assert pattern.fullmatch(line), line
    line.encode("utf-8")


@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_a_metric_is_one_readable_line_or_refused(
    name: Any, value: Any, timestamp: Any, source: Any, key: Any, tag: Any
) -> None:
    is_one(METRIC, lambda: metric_to_line_data(name, value, timestamp, source, {key: tag}, "d"))


@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_a_histogram_is_one_readable_line_or_refused(
    name: Any, mean: Any, count: Any, timestamp: Any, key: Any, tag: Any
) -> None:
    is_one(
        HISTOGRAM,
        lambda: histogram_to_line_data(
            name, [(mean, count)], [histogram_granularity.HOUR], timestamp, None, {key: tag}, "d"
        ),
    )


@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_a_span_is_one_readable_line_or_refused(
    name: Any, start: Any, source: Any, parent: Any, key: Any, tag: Any
) -> None:
    is_one(
        SPAN,
        lambda: tracing_span_to_line_data(
            name, start, 1, source, ID, ID, [parent], None, [(key, tag)], None, "d"
        ),
    )


@given(NASTY)
def test_a_value_is_one_quoted_text_with_nothing_after_its_closing_quote(value: str) -> None:
    assert re.fullmatch(VALUE, sanitize_value(value))


@pytest.mark.parametrize(
    ("value", "clean"),
    [("a\\", '"a\\\\"'), ('a\\"b', '"a\\\\\\"b"'), ('"', '"\\""'), ("C:\\temp", '"C:\\temp"')],
)
def test_backslashes_never_swallow_a_quote(value: str, clean: str) -> None:
    assert sanitize_value(value) == clean


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "x", None])
def test_a_value_that_is_no_finite_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="number"):
        metric_to_line_data("m", value, None, "s", None, "d")
    with pytest.raises(ValueError, match="number"):
        histogram_to_line_data("h", [(value, 1)], ["!M"], None, "s", None, "d")


def test_centroids_and_granularities_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        histogram_to_line_data("h", [(1.0, 0)], ["!M"], None, "s", None, "d")
    with pytest.raises(ValueError, match="granularities"):
        histogram_to_line_data("h", [(1.0, 1)], ['!M\n"evil"'], None, "s", None, "d")


def test_whole_numbers_in_centroids_are_written_as_in_the_documented_example() -> None:
    line = histogram_to_line_data("h", [(30, 20), (5.1, 10)], ["!M"], None, "s", None, "d")
    assert line == '!M #20 30.0 #10 5.1 "h" source="s"\n'


def test_an_id_that_is_no_uuid_cannot_bring_a_line_of_its_own() -> None:
    evil: Any = '1\n"injected" 1.0 source="x"'
    with pytest.raises(ValueError, match="UUID"):
        tracing_span_to_line_data("s", 1, 1, "s", evil, ID, None, None, None, None, "d")
