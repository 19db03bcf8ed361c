"""Queries: what is asked, what comes of answers, and data frames."""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from apptuit_service import ApptuitService
from loopback import Answer, LoopbackReceiver, Received
from wf_instrument.backends.apptuit import (
    Apptuit,
    ApptuitException,
    Output,
    QueryResult,
    TimeSeries,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def answer_of(*outputs: tuple[str, list[tuple[str, dict[str, str], list[list[Any]]]]]) -> Answer:
    told = {
        "outputs": [
            {
                "id": name,
                "result": [
                    {"metric": metric, "tags": tags, "aggregatedTags": [], "dps": points}
                    for metric, tags, points in series
                ],
            }
            for name, series in outputs
        ],
        "hints": [],
        "query_stats": {"numSeries": 1},
    }
    return Answer(body=json.dumps(told).encode())


HOST_A, HOST_B = {"host": "a"}, {"host": "b"}
RIDES = answer_of(
    ("cpu", [("node.cpu", HOST_A, [[9, 1], [10, 2.5], [15, None], [16, 4]])]),
    ("empty", []),
    ("load", [("node.load", HOST_A, [[10, 1]]), ("node.load", HOST_B, [[12, 2]])]),
)


@pytest.fixture
def service() -> Iterator[ApptuitService]:
    with ApptuitService([RIDES]) as made:
        yield made


def ask(service: LoopbackReceiver, *times: Any, **more: Any) -> QueryResult:
    result = Apptuit("TOKEN", service.url, first_pause_s=0.01).query("q", *times, **more)
    assert result is not None
    return result


def test_a_query_goes_percent_encoded_in_the_url(service: ApptuitService) -> None:
    client = Apptuit("TOKEN", service.url + "/")
    client.query("fetch('a/b').downsample('1m', 'avg')", start=10, end=15.5)
    with pytest.raises(ApptuitException):
        client.query("q", 10, 0)  # the service says nothing
    first, second = service.received
    assert first.target == (
        "/api/query?start=10&end=15.5"
        "&q=fetch%28%27a%2Fb%27%29.downsample%28%271m%27%2C%20%27avg%27%29"
    )
    assert second.target == "/api/query?start=10&q=q"
    assert first.headers["authorization"] == "Bearer TOKEN"
    assert first.headers["user-agent"].startswith("wf-instrument-")


def test_points_beyond_the_times_are_left_out_and_both_ends_are_within(
    service: ApptuitService,
) -> None:
    (series,) = ask(service, 10, 15)["cpu"].series
    assert (series.timestamps, series.values) == ([10, 15], [2.5, None])
    assert (series.metric, series.tags) == ("node.cpu", HOST_A)


def test_without_an_end_all_later_points_are_within(service: ApptuitService) -> None:
    assert ask(service, 10)[0].series[0].timestamps == [10, 15, 16]


def test_outputs_are_found_by_position_and_by_id(service: ApptuitService) -> None:
    result = ask(service, 10, 15)
    assert result[0] is result["cpu"]
    assert result[2] is result["load"]
    assert result[1].series == []
    assert (len(result), result.keys()) == (3, ["cpu", "empty", "load"])
    assert [len(output.series) for output in result] == [1, 0, 2]
    assert (result.start, result.end) == (10, 15)
    assert repr(result) == "{start: 10, end: 15, outputs: cpu, empty, load}"


@pytest.mark.parametrize("key", [3, -1, "other"])
def test_an_output_that_is_not_there_is_a_key_error(service: ApptuitService, key: Any) -> None:
    with pytest.raises(KeyError):
        ask(service, 10, 15)[key]


def test_no_outputs_are_none() -> None:
    with ApptuitService([answer_of()]) as service:
        assert Apptuit("TOKEN", service.url).query("q", 1) is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"outputs": [1]}', b"[]", b"\xff"])
def test_an_answer_that_cannot_be_read_is_an_apptuit_exception(body: bytes) -> None:
    with (
        ApptuitService([Answer(body=body)]) as service,
        pytest.raises(ApptuitException, match="cannot be read") as caught,
    ):
        ask(service, 1)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("times", [("now",), (1, "now"), (None,)])
def test_times_that_are_no_numbers_are_a_type_error_before_the_request(
    service: ApptuitService, times: tuple[Any, ...]
) -> None:
    with pytest.raises(TypeError, match="give Unix time"):
        ask(service, *times)
    assert service.requests == []


@pytest.mark.parametrize("status", [0, 500, 503, 429])
def test_a_query_is_tried_again_as_often_as_asked(status: int) -> None:
    with ApptuitService([Answer(status), Answer(status), RIDES]) as service:
        assert len(ask(service, 10, retry_count=2)) == 3
    with ApptuitService([Answer(status)] * 9) as service:
        with pytest.raises(ApptuitException, match="query failed"):
            ask(service, 10, retry_count=2)
        assert len(service.requests) == 3


@pytest.mark.slow
def test_a_query_without_an_answer_in_time_is_tried_again() -> None:
    asked: list[Received] = []
    done = threading.Event()

    def late_at_first(one: Received) -> Answer:
        asked.append(one)
        if len(asked) == 1:
            done.wait(20)
        return RIDES

    with LoopbackReceiver(late_at_first) as service:
        assert len(ask(service, 10, retry_count=1, timeout=0.5)) == 3
        done.set()
    assert len(asked) == 2


def test_a_query_with_half_an_answer_is_tried_again() -> None:
    half = Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
    with ApptuitService([half, RIDES]) as service:
        assert len(ask(service, 10, retry_count=1)) == 3


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_query_that_is_refused_is_not_tried_again(status: int) -> None:
    with ApptuitService([Answer(status)]) as service:
        with pytest.raises(ApptuitException, match=str(status)):
            ask(service, 10, retry_count=3)
        assert len(service.requests) == 1


def test_a_query_is_not_tried_again_when_encryption_fails() -> None:
    pauses = 60  # seconds, which the test would take
    with (
        LoopbackReceiver(tls=True) as service,
        pytest.raises(ApptuitException, match="TLS failed"),
    ):
        Apptuit("t", service.url, first_pause_s=pauses).query("q", 1, retry_count=1)


# --- data frames --------------------------------------------------------------------------------


def test_a_data_frame_has_a_column_a_series_and_a_row_a_time(service: ApptuitService) -> None:
    pandas = pytest.importorskip("pandas")
    frame = ask(service, 10, 15)["load"].to_df()
    assert list(frame.columns) == ["node.load{host:a}", "node.load{host:b}"]
    assert frame.index.equals(pandas.to_datetime([10, 12], unit="s"))
    assert frame.index.tz is None
    assert frame.fillna(-1).to_numpy().tolist() == [[1, -1], [-1, 2]]


def test_times_of_a_data_frame_are_converted_to_the_zone(service: ApptuitService) -> None:
    pandas = pytest.importorskip("pandas")
    frame = ask(service, 10, 15)["load"].to_df(tz="Asia/Kolkata")
    assert frame.index[0] == pandas.Timestamp("1970-01-01T00:00:10Z")
    assert str(frame.index[0]) == "1970-01-01 05:30:10+05:30"


def test_a_data_frame_of_nothing_is_empty(service: ApptuitService) -> None:
    pytest.importorskip("pandas")
    assert ask(service, 10, 15)["empty"].to_df().empty
    assert Output().to_df("UTC").shape == (0, 0)


def test_missing_values_are_nan_and_of_equal_times_the_last_counts() -> None:
    pytest.importorskip("pandas")
    series = TimeSeries("m", {"a": "b"}, [1, 1, 2], [1.0, 2.0, None])  # type: ignore[list-item]
    frame = Output([series]).to_df()
    assert frame.fillna(-1)["m{a:b}"].tolist() == [2, -1]


def test_without_pandas_a_data_frame_is_an_import_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"wf-instrument\[apptuit\]") as caught:
        Output().to_df()
    assert caught.value.name == "pandas"
