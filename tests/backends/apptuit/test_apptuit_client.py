"""The client: what it is made with, what it sends, and what it makes of answers."""

from __future__ import annotations

import json
import math
import pickle
import platform
from typing import TYPE_CHECKING, Any

import pytest

from apptuit_service import OK, REFUSED, ApptuitService
from loopback import Answer, LoopbackReceiver, Received
from wf_instrument.backends.apptuit import (
    Apptuit,
    ApptuitException,
    ApptuitSendException,
    DataPoint,
    TimeSeries,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

POINT = DataPoint("node.load avg", {"host": "a b", "1x": 2}, 1500000000, "3.5")
ROW = {
    "metric": "node_load_avg",
    "timestamp": 1500000000,
    "value": 3.5,
    "tags": {"host": "a b", "_1x": 2},
}


@pytest.fixture
def service() -> Iterator[ApptuitService]:
    with ApptuitService() as made:
        yield made


def client_of(service: LoopbackReceiver, **more: Any) -> Apptuit:
    return Apptuit("TOKEN", service.url, first_pause_s=0.01, **more)


# --- making one ---------------------------------------------------------------------------------


def test_the_token_is_the_argument_or_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("APPTUIT_API_TOKEN", "from-environment")
    assert Apptuit("given").token == "given"
    assert Apptuit().token == "from-environment"


def test_the_deprecated_token_variable_works_and_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPTUIT_API_TOKEN", "")
    monkeypatch.setenv("APPTUIT_PY_TOKEN", "old")
    with pytest.warns(DeprecationWarning, match="set APPTUIT_API_TOKEN"):
        assert Apptuit().token == "old"


@pytest.mark.parametrize("kind", [ApptuitException, ValueError])
def test_a_missing_token_is_the_exception_of_the_readme_and_a_value_error(
    kind: type[Exception],
) -> None:
    with pytest.raises(kind, match="APPTUIT_API_TOKEN"):
        Apptuit()


def test_one_slash_at_the_end_of_the_endpoint_is_left_out() -> None:
    client = Apptuit("t", "https://apptuit.example/base/")
    assert client.endpoint == "https://apptuit.example/base"
    assert client.put_apiurl == "https://apptuit.example/base/api/put?details"


@pytest.mark.parametrize("endpoint", ["", None, "no URL", "ftp://x"])
def test_an_endpoint_that_is_none_is_a_value_error(endpoint: Any) -> None:
    with pytest.raises(ValueError, match=r"api_endpoint|no URL"):
        Apptuit("t", endpoint)


def test_a_token_over_plain_http_to_another_machine_has_to_be_allowed() -> None:
    with pytest.raises(ValueError, match="allow_insecure"):
        Apptuit("t", "http://apptuit.example")
    assert Apptuit("t", "http://apptuit.example", allow_insecure=True).endpoint


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("prometheus", "a_b_c"),
        ("PROMETHEUS", "a_b_c"),
        ("apptuit", "a.b_c"),
        ("Apptuit", "a.b_c"),
    ],
)
def test_names_are_sanitized_by_the_mode_in_any_case(mode: str, name: str) -> None:
    sanitizer = Apptuit("t", sanitize_mode=mode).sanitizer
    assert sanitizer is not None
    assert sanitizer("a.b:c") == name


@pytest.mark.parametrize("mode", [None, ""])
def test_without_a_mode_there_is_no_sanitizer(mode: str | None) -> None:
    assert Apptuit("t", sanitize_mode=mode).sanitizer is None


@pytest.mark.parametrize("mode", ["graphite", 5])
def test_an_unknown_mode_is_a_value_error(mode: Any) -> None:
    with pytest.raises(ValueError, match="give one of apptuit, prometheus"):
        Apptuit("t", sanitize_mode=mode)


def test_neither_repr_nor_errors_show_the_token(service: ApptuitService) -> None:
    service.answer = lambda _: Answer(401)
    client = Apptuit("s3cret", service.url)
    with pytest.raises(ApptuitSendException) as caught:
        client.send([POINT])
    shown = repr(client) + repr(client.http) + str(caught.value) + caught.value.msg
    assert "s3cret" not in shown


# --- what is sent -------------------------------------------------------------------------------


def test_send_posts_rows_with_four_headers_and_a_zlib_body(service: ApptuitService) -> None:
    with client_of(service) as client:
        client.send([POINT])
    (one,) = service.received
    assert one.target == "/api/put?details"
    headers = [one.headers[name] for name in ("authorization", "content-type", "content-encoding")]
    assert headers == ["Bearer TOKEN", "application/json", "deflate"]
    agent = one.headers["user-agent"]
    assert agent.startswith("wf-instrument-")
    assert agent.endswith(f"Py-{platform.python_version()}")
    assert json.loads(one.body) == [ROW]


def test_connections_are_used_again(service: ApptuitService) -> None:
    client = client_of(service)
    for _ in range(3):
        client.send([POINT])
    assert len({one.peer for one in service.received}) == 1


@pytest.mark.parametrize("nothing", [[], None, (), iter(())])
def test_sending_nothing_makes_no_request(service: ApptuitService, nothing: Any) -> None:
    client = client_of(service)
    client.send(nothing)
    client.send_timeseries(nothing)
    client.send_timeseries([TimeSeries("m", {"a": 1})])
    assert service.requests == []


def test_points_may_come_from_a_generator(service: ApptuitService) -> None:
    client_of(service).send(DataPoint("m", {"a": n}, n, n) for n in range(3))
    assert [row["tags"]["a"] for row in service.rows()] == [0, 1, 2]


def test_tags_of_a_point_win_over_global_tags(service: ApptuitService) -> None:
    client = client_of(service, global_tags={"a": "global", "b": "global"})
    client.send([DataPoint("m", {"a": "own"}, 1, 1)])
    client.send_timeseries([TimeSeries("m", {"a": "own"}, [1], [1])])
    assert [row["tags"] for row in service.rows()] == [{"a": "own", "b": "global"}] * 2


def test_global_tags_are_those_of_the_environment_unless_given_or_ignored(
    service: ApptuitService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPTUIT_TAGS", "from: environment")
    for more in ({}, {"global_tags": {"from": "argument"}}, {"ignore_environ_tags": True}):
        client_of(service, **more).send([DataPoint("m", {"a": 1}, 1, 1)])
    assert [row["tags"].get("from") for row in service.rows()] == ["environment", "argument", None]


def test_series_carry_own_global_and_environment_tags(
    service: ApptuitService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPTUIT_TAGS", "b: 2")
    series = TimeSeries("a.b", {"a": 1})
    series.add_point(10, 1)
    series.add_point(20, "2")
    client_of(service).send_timeseries([series])
    tags = {"a": 1, "b": "2"}
    assert service.rows() == [
        {"metric": "a_b", "timestamp": 10, "value": 1.0, "tags": tags},
        {"metric": "a_b", "timestamp": 20, "value": 2.0, "tags": tags},
    ]


@pytest.mark.parametrize("tags", [None, {}])
def test_a_point_without_any_tags_is_a_value_error(service: ApptuitService, tags: Any) -> None:
    client = client_of(service)
    with pytest.raises(ValueError, match="no tags"):
        client.send([DataPoint("m", tags, 1, 1)])
    with pytest.raises(ValueError, match="no tags"):
        client.send_timeseries([TimeSeries("m", tags, [1], [1])])


@pytest.mark.parametrize("common", [0, 5])
def test_25_tags_pass_and_26_are_a_value_error(service: ApptuitService, common: int) -> None:
    client = client_of(service, global_tags={f"g{n}": n for n in range(common)})

    def point(number: int) -> DataPoint:
        return DataPoint("m", {f"t{n}": n for n in range(number - common)}, 1, 1)

    client.send([point(25)])
    assert len(service.rows()[0]["tags"]) == 25
    with pytest.raises(ValueError, match="26 tags; Apptuit takes 25"):
        client.send([point(26)])


def test_one_bad_point_and_none_is_sent(service: ApptuitService) -> None:
    with pytest.raises(ValueError, match="no tags"):
        client_of(service).send([POINT, DataPoint("m", None, 1, 1)])
    assert service.requests == []


def test_names_are_sanitized_and_values_of_tags_are_left_alone(service: ApptuitService) -> None:
    value = "日本 a.b:c"
    client_of(service).send([DataPoint("日本.a", {"k.ö": value}, 1, 1)])
    client_of(service, sanitize_mode="apptuit").send([DataPoint("日本.a", {"k.ö": value}, 1, 1)])
    first, second = service.rows()
    assert (first["metric"], first["tags"]) == ("_a", {"k_": value})
    assert (second["metric"], second["tags"]) == ("日本.a", {"k.ö": value})


def test_tag_keys_that_meet_once_sanitized_are_told(
    service: ApptuitService, caplog: pytest.LogCaptureFixture
) -> None:
    client_of(service).send([DataPoint("m", {"a.b": 1, "a:b": 2}, 1, 1)])
    assert service.rows()[0]["tags"] == {"a_b": 2}
    assert "same name once sanitized" in caplog.text


@pytest.mark.parametrize(
    ("metric", "tags"),
    [("a b", {"k": 1}), ("m\n", {"k": 1}), ("m", {"k:1": 1}), ("m", {"k\n": 1})],
)
def test_without_a_sanitizer_a_bad_name_is_a_value_error(
    service: ApptuitService, metric: str, tags: dict[str, int]
) -> None:
    client = client_of(service, sanitize_mode=None)
    with pytest.raises(ValueError, match="is no name"):
        client.send([DataPoint(metric, tags, 1, 1)])
    with pytest.raises(ValueError, match="is no name"):
        client.send_timeseries([TimeSeries(metric, tags, [1], [1])])
    client.send([DataPoint("日/b-c_.1", {"ö": 1}, 1, 1)])
    assert service.rows()[0]["metric"] == "日/b-c_.1"


@pytest.mark.parametrize("tags", ["host=a", [("a", 1)], {1: "a"}])
@pytest.mark.parametrize("kind", [AttributeError, TypeError, ValueError, ApptuitException])
def test_tags_that_are_no_dictionary_of_texts_are_an_attribute_error_too(
    service: ApptuitService, tags: Any, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        client_of(service).send([DataPoint("m", tags, 1, 1)])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_left_out_and_counted(
    service: ApptuitService, value: float, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(service)
    client.send([DataPoint("a", {"a": 1}, 1, value), DataPoint("b", {"a": 1}, 1, 1)])
    client.send_timeseries([TimeSeries("c", {"a": 1}, [1, 2, 3], [value, None, 2])])  # type: ignore[list-item]
    assert [row["metric"] for row in service.rows()] == ["b", "c"]
    assert client.skipped == 3
    assert "finite numbers only" in caplog.text


def test_the_dictionaries_of_the_caller_stay_as_they_are(service: ApptuitService) -> None:
    tags, own = {"g": 1}, {"a.b": 1}
    client = client_of(service, global_tags=tags)
    client.send([DataPoint("m", own, 1, 1)])
    tags["later"] = 2
    client.send([DataPoint("m", own, 1, 1)])
    assert own == {"a.b": 1}
    assert [row["tags"] for row in service.rows()] == [{"g": 1, "a_b": 1}] * 2


def test_more_than_50_000_points_go_in_several_requests(service: ApptuitService) -> None:
    series = TimeSeries("m", {"a": 1}, list(range(50_001)), [0.0] * 50_001)
    client_of(service).send_timeseries([series])
    assert [len(json.loads(one.body)) for one in service.received] == [50_000, 1]


# --- answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_is_a_success(service: ApptuitService, status: int) -> None:
    service.answer = lambda _: Answer(status)
    client_of(service).send([POINT])
    assert len(service.received) == 1


def failed(client: Apptuit, number: int = 2) -> ApptuitSendException:
    with pytest.raises(ApptuitSendException) as caught:
        client.send([POINT] * number)
    return caught.value


def test_400_tells_which_points_were_refused() -> None:
    with ApptuitService([REFUSED]) as service:
        error = failed(client_of(service))
    assert (error.status_code, error.success, error.failed) == (400, 1, 1)
    assert error.errors == [{"datapoint": {"metric": "bad"}, "error": "no good"}]
    assert str(error) == (
        "1 points failed with status: 400\n"
        "no good error occurred in the datapoint {'metric': 'bad'}\n"
    )


NO_COUNTS = [
    b"",
    b"{}",
    b"<html>",
    b'{"success": "x"}',
    b'{"success": 1e999, "failed": 1}',
    b"[1]",
    b"\xff",
]


@pytest.mark.parametrize("body", NO_COUNTS)
def test_400_of_any_other_form_is_a_send_exception(body: bytes) -> None:
    with ApptuitService([Answer(400, body=body)]) as service:
        error = failed(client_of(service))
    assert (error.status_code, error.success, error.failed, error.errors) == (400, 0, 2, [])


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "token was refused"), (404, "404"), (500, "Server Error"), (302, "redirects")],
)
def test_other_failures_count_all_points(status: int, said: str) -> None:
    with ApptuitService([Answer(status, (("Location", "/"),))]) as service:
        error = failed(client_of(service))
        assert service.received == []
    assert (error.status_code, error.success, error.failed) == (status, 0, 2)
    assert said in error.msg


def test_a_body_too_large_goes_in_halves(service: ApptuitService) -> None:
    def most_three(one: Received) -> Answer:
        return Answer(413) if len(json.loads(one.body)) > 3 else OK

    service.answer = most_three
    client_of(service).send([DataPoint("m", {"n": n}, 1, 1) for n in range(10)])
    assert [row["tags"]["n"] for row in service.rows()] == list(range(10))


def test_a_single_point_that_is_too_large_is_told_with_its_size(service: ApptuitService) -> None:
    def no_giants(one: Received) -> Answer:
        return Answer(413 if "giant" in one.body else 200)

    service.answer = no_giants
    points = [DataPoint(name, {"a": 1}, 1, 1) for name in ("a", "giant", "b")]
    with pytest.raises(ApptuitSendException, match="1 points failed with status: 413") as caught:
        client_of(service).send(points)
    assert (caught.value.success, caught.value.failed) == (2, 1)
    assert "MB, compressed, with 1 points" in caught.value.msg
    assert [row["metric"] for row in service.rows()] == ["a", "b"]


def send(client: Apptuit, retries: int) -> None:
    client.send([POINT], retry_count=retries)


def send_timeseries(client: Apptuit, retries: int) -> None:
    client.send_timeseries([TimeSeries("m", {"a": 1}, [1], [1])], retry_count=retries)


@pytest.mark.parametrize("sending", [send, send_timeseries])
@pytest.mark.parametrize("status", [0, 408, 429, 500, 503])
def test_what_may_pass_is_tried_again_as_often_as_asked(
    sending: Callable[[Apptuit, int], None], status: int
) -> None:
    with ApptuitService([Answer(status)] * 2) as service:
        sending(client_of(service), 2)
        assert (len(service.refused), len(service.received)) == (2, 1)
    with ApptuitService([Answer(status)] * 9) as service:
        with pytest.raises(ApptuitSendException):
            sending(client_of(service), 2)
        assert len(service.refused) == 3


def test_by_default_nothing_is_tried_again() -> None:
    with ApptuitService([Answer(503)]) as service:
        assert failed(client_of(service)).status_code == 503
        assert len(service.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 302])
def test_what_another_try_would_not_change_is_not_tried_again(status: int) -> None:
    with ApptuitService([Answer(status)]) as service:
        with pytest.raises(ApptuitSendException):
            client_of(service).send([POINT], retry_count=3)
        assert len(service.requests) == 1


@pytest.mark.slow
def test_the_pause_that_is_asked_for_is_kept() -> None:
    paused: list[float] = []

    def wait(pause_s: float) -> bool:
        paused.append(pause_s)
        return False

    with ApptuitService([Answer(429, (("Retry-After", "7"),))]) as service:
        client = client_of(service)
        client.send_rows(["{}"], retry_count=1, wait=wait)
    assert paused == [7.0]


def test_nobody_there_is_a_send_exception_with_its_cause() -> None:
    with ApptuitService() as service:
        pass
    error = failed(client_of(service))
    assert (error.status_code, error.success, error.failed) == (None, 0, 2)
    assert "nobody listens there" in error.msg
    assert error.__cause__ is not None
    assert str(error) == "2 points failed\n"


def test_closing_ends_the_wait_for_another_try() -> None:
    with ApptuitService([Answer(503)] * 9) as service:
        client = Apptuit("t", service.url, first_pause_s=60)
        client.close()
        with pytest.raises(ApptuitSendException):
            client.send([POINT], retry_count=5)
        assert len(service.requests) == 1


# --- the exception ------------------------------------------------------------------------------

ERRORS = [{"datapoint": "d", "error": "e"}, {"strange": 1}]


def test_the_send_exception_has_its_fields_in_both_orders() -> None:
    named = ApptuitSendException("text", 400, 3, 2, ERRORS)
    as_in_the_readme = ApptuitSendException(400, 3, 2, ERRORS)
    without_status = ApptuitSendException(None, 0, 2, [])
    for error in (named, as_in_the_readme):
        assert (error.status_code, error.success, error.failed) == (400, 3, 2)
        assert error.errors == ERRORS
        assert (
            str(error)
            == repr(error)
            == (
                "2 points failed with status: 400\n"
                "e error occurred in the datapoint d\n"
                "{'strange': 1}\n"
            )
        )
    assert named.msg == "text"
    assert str(without_status) == "2 points failed\n"
    assert ApptuitSendException("text").errors == []


def test_exceptions_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(ApptuitSendException(400, 3, 2, ERRORS)))
    assert (error.status_code, error.success, error.failed, error.errors) == (400, 3, 2, ERRORS)
    assert str(pickle.loads(pickle.dumps(ApptuitException("m")))) == "m"
    assert repr(ApptuitException("m")) == ApptuitException("m").msg == "m"
