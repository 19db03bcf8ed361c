"""Names, points, series and variables: no server needed."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wf_instrument.backends.apptuit import (
    DataPoint,
    TimeSeries,
    TimeSeriesName,
    decode_metric,
    encode_metric,
    timeseries,
)
from wf_instrument.backends.apptuit.environment import parse_tags, strtobool, tags_from_environment
from wf_instrument.backends.apptuit.names import (
    is_valid_name,
    sanitize_name_apptuit,
    sanitize_name_prometheus,
)

# --- variables ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        (None, {}),
        ("", {}),
        (" ", {}),
        (", ,", {}),
        ("tagk1: 22, , tagk2: tagv2,", {"tagk1": "22", "tagk2": "tagv2"}),
        ("a:1,a:2", {"a": "2"}),
        ("a:", {"a": ""}),
        ("é:1", {"é": "1"}),
        (
            "tag_key1: tag_val1, tag_key2: tag_val2",
            {"tag_key1": "tag_val1", "tag_key2": "tag_val2"},
        ),
        # The first colon ends the key; quotes keep a comma.
        ("a:b:c", {"a": "b:c"}),
        ("a: http://x", {"a": "http://x"}),
        ('a: "x, y", b:1', {"a": "x, y", "b": "1"}),
        (r'a:"say \"hi\" \\"', {"a": r'say "hi" \ '.rstrip()}),
        ('a: 5" pipe, b: 1', {"a": '5" pipe', "b": "1"}),
    ],
)
def test_the_variable_with_tags_reads_as_documented(
    text: str | None, tags: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if text is not None:
        monkeypatch.setenv("APPTUIT_TAGS", text)
    assert tags_from_environment() == tags


@pytest.mark.parametrize("text", ["tag", ":v", "a b:c", '"a":b', "a:1,b"])
def test_a_variable_that_holds_no_tags_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="APPTUIT_TAGS"):
        parse_tags(text)


@given(st.text())
def test_no_text_of_the_variable_does_anything_but_parse_or_raise_value_error(text: str) -> None:
    try:
        tags = parse_tags(text)
    except ValueError:
        return
    assert all(is_valid_name(key) for key in tags)


def test_the_deprecated_variable_with_tags_works_and_warns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("APPTUIT_PY_TAGS", "a: 1")
    with pytest.warns(DeprecationWarning, match="set APPTUIT_TAGS"):
        assert tags_from_environment() == {"a": "1"}
    # A blank is a value, and no reason to look at the old one.
    monkeypatch.setenv("APPTUIT_TAGS", " ")
    assert tags_from_environment() == {}


@pytest.mark.parametrize(
    ("words", "result"),
    [("y yes t true on 1 YES True oN", 1), ("n no f false off 0 NO False oFF", 0)],
)
def test_words_for_true_and_false(words: str, result: int) -> None:
    assert {strtobool(word) for word in words.split()} == {result}


@pytest.mark.parametrize("word", ["", "maybe", "2"])
def test_any_other_word_is_a_value_error(word: str) -> None:
    with pytest.raises(ValueError, match="neither true nor false"):
        strtobool(word)


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "prometheus", "apptuit"),
    [
        ("9a", "_9a", "9a"),
        ("__a__", "_a_", "_a_"),
        ("a..b", "a_b", "a..b"),
        ("a:b", "a_b", "a_b"),
        ("日本語", "_", "日本語"),
        ("日本語.abc", "_abc", "日本語.abc"),
        ("7&&cpu-time/seconds.count", "_7_cpu_time_seconds_count", "7_cpu-time/seconds.count"),
        ("", "", ""),
    ],
)
def test_names_are_made_to_fit_as_documented(name: str, prometheus: str, apptuit: str) -> None:
    assert (sanitize_name_prometheus(name), sanitize_name_apptuit(name)) == (prometheus, apptuit)


@given(st.text(min_size=1))
def test_a_sanitized_name_is_valid_and_stays_as_it_is(name: str) -> None:
    for sanitize in (sanitize_name_prometheus, sanitize_name_apptuit):
        once = sanitize(name)
        assert is_valid_name(once)
        assert sanitize(once) == once


# --- encoding -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "tags", "encoded"),
    [
        ("test", {"tk2": "tv2", "tk1": "tv1"}, 'test{"tk1": "tv1", "tk2": "tv2"}'),
        (
            "n",
            {"b": 'é"', "a": 1, "c": None, "d": True},
            'n{"a": 1, "b": "\\u00e9\\"", "c": null, "d": true}',
        ),
        ("n", {}, "n{}"),
    ],
)
def test_name_and_tags_become_exactly_this_text(
    name: str, tags: dict[str, Any], encoded: str
) -> None:
    assert timeseries.encode_metric(name, tags) == encoded
    assert encode_metric(metric_name=name, metric_tags=tags) == encoded
    assert encode_metric(name, tags=tags) == encoded
    assert TimeSeriesName.encode_metric(name, tags) == encoded
    assert str(TimeSeriesName(name, tags)) == encoded


@pytest.mark.parametrize(
    ("name", "tags"), [("", {}), (None, {}), (b"n", {}), ("n", None), ("n", [])]
)
def test_what_cannot_be_encoded_is_a_value_error(name: Any, tags: Any) -> None:
    with pytest.raises(ValueError, match="give a"):
        encode_metric(name, tags)


def test_keys_of_several_types_are_a_type_error() -> None:
    with pytest.raises(TypeError):
        encode_metric("n", {1: 1, "a": 1})


@pytest.mark.parametrize(
    ("encoded", "decoded"),
    [
        ("  a b  ", ("a b", {})),
        ('n {"a":1}', ("n", {"a": 1})),
        ('n{"a":1}', ("n", {"a": 1})),
        ('{"a":1}', ("", {"a": 1})),
        ('n{"a":{"b":1}}', ("n", {"a": {"b": 1}})),
    ],
)
def test_a_text_decodes_to_this_name_and_tags(
    encoded: str, decoded: tuple[str, dict[str, Any]]
) -> None:
    assert timeseries.decode_metric(encoded) == decoded
    assert TimeSeriesName.decode_metric(encoded) == decoded


@pytest.mark.parametrize("encoded", ['n{"a":1} x', 'a{b}{"c":1}', "cpu {sjd", None, ""])
def test_what_cannot_be_decoded_is_a_value_error(encoded: Any) -> None:
    with pytest.raises(ValueError, match="encoded metric"):
        decode_metric(encoded)


def test_what_cannot_be_hashed_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        decode_metric([])  # type: ignore[arg-type]


def test_decoded_tags_are_the_callers_own() -> None:
    decode_metric('own{"a": {"b": 1}}')[1]["a"]["b"] = 2
    assert decode_metric('own{"a": {"b": 1}}') == ("own", {"a": {"b": 1}})


@given(
    st.text(min_size=1).filter(lambda name: "{" not in name and name.strip() == name),
    st.dictionaries(st.text(), st.text() | st.integers() | st.booleans() | st.none()),
)
def test_what_was_encoded_decodes_to_itself(name: str, tags: dict[str, Any]) -> None:
    assert decode_metric(encode_metric(name, tags)) == (name, tags)


# --- points and series --------------------------------------------------------------------------


@pytest.mark.parametrize(("given_", "value"), [(1, 1.0), ("2.5", 2.5), (True, 1.0)])
def test_the_value_of_a_point_is_a_number(given_: Any, value: float) -> None:
    assert DataPoint("m", {"a": 1}, 1, given_).value == value
    assert math.isnan(DataPoint("m", {"a": 1}, 1, math.nan).value)


@pytest.mark.parametrize("value", ["x", None, object(), [1]])
def test_a_value_that_is_no_number_is_a_value_error(value: Any) -> None:
    with pytest.raises(ValueError, match="give a number"):
        DataPoint("m", {"a": 1}, 1, value)
    series = TimeSeries("m", {"a": 1})
    with pytest.raises(ValueError, match="give a number"):
        series.add_point(1, value)
    assert len(series) == 0


def test_a_point_shows_as_documented() -> None:
    point = DataPoint("m", {"b": 1, "a": 2}, 1, 3)
    assert repr(point) == str(point) == "m{a:2, b:1, timestamp: 1, value: 3.000000}"
    assert (point.metric, point.tags, point.timestamp) == ("m", {"b": 1, "a": 2}, 1)
    assert repr(DataPoint("m", None, 1, 3)) == "m{timestamp: 1, value: 3.000000}"


def test_a_point_may_be_of_a_series_name() -> None:
    name = TimeSeriesName("m", {"a": 1})
    point = DataPoint(name, None, 1, 3)
    assert (point.metric, point.tags, point.timeseries_name) == ("m", {"a": 1}, name)


def test_a_series_takes_points_and_shows_as_documented() -> None:
    series = TimeSeries("m", {"b": 1, "a": 2}, [1], [10])
    series.add_point(2, "20")
    assert (series.timestamps, series.values, len(series)) == ([1, 2], [10, 20.0], 2)
    assert repr(series) == "m{a:2, b:1}"
    assert (repr(TimeSeries("metric", {})), repr(TimeSeries("metric", None))) == ("metric{}",) * 2
    assert (series.metric, series.tags, series.name.metric) == ("m", {"b": 1, "a": 2}, "m")


def test_the_lists_of_a_series_are_those_given() -> None:
    index, values = [1], [1.0]
    series = TimeSeries("m", {"a": 1}, index, values)
    assert series.timestamps is index
    assert series.values is values


def test_a_series_may_be_of_arrays() -> None:
    numpy = pytest.importorskip("numpy")
    series = TimeSeries("m", {"a": 1}, numpy.array([1, 2]), numpy.array([1.5, 2.5]))
    assert len(series) == 2


@pytest.mark.parametrize(("index", "values"), [([1], None), (None, [1]), ([1, 2], [1]), ([], [1])])
def test_times_and_values_of_different_number_are_a_value_error(index: Any, values: Any) -> None:
    with pytest.raises(ValueError, match="as many of both"):
        TimeSeries("m", {"a": 1}, index, values)


@pytest.mark.parametrize("metric", ["", None])
def test_an_empty_metric_is_a_value_error(metric: Any) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        TimeSeriesName(metric, {"a": 1})
    name = TimeSeriesName("m", {"a": 1})
    with pytest.raises(ValueError, match="must not be empty"):
        name.metric = metric


@pytest.mark.parametrize("key", ["", None])
def test_an_empty_tag_key_is_a_value_error(key: Any) -> None:
    with pytest.raises(ValueError, match="key must not be empty"):
        TimeSeriesName("m", {key: 1})
    name = TimeSeriesName("m")
    assert name.tags is None
    with pytest.raises(ValueError, match="key must not be empty"):
        name.tags = {key: 1}
