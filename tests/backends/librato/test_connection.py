"""Connecting, requests, time-outs, retries, errors."""

from __future__ import annotations

import copy
import logging
import pickle
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from librato_service import TOKEN, USER, LibratoService
from loopback import LoopbackReceiver
from wf_instrument.backends.librato import connect, exceptions, sanitize_metric_name
from wf_instrument.backends.librato.json_text import decode_body, encode_query, path_of
from wf_instrument.errors import ConfigError, SendError

if TYPE_CHECKING:
    from wf_instrument.backends.librato import LibratoConnection


def test_credentials_come_from_arguments_then_the_environment_then_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LIBRATO_USER", raising=False)
    monkeypatch.delenv("LIBRATO_TOKEN", raising=False)
    assert (connect().username, connect().api_key) == (b"", b"")
    monkeypatch.setenv("LIBRATO_USER", "env-user")
    monkeypatch.setenv("LIBRATO_TOKEN", "env-token")
    assert (connect().username, connect().api_key) == (b"env-user", b"env-token")
    given = connect("u", "t")
    assert (given.username, given.api_key) == (b"u", b"t")


def test_empty_credentials_fail_at_the_first_call(service: LibratoService) -> None:
    api = connect("", "", service.hostname, protocol="http")
    with pytest.raises(exceptions.Unauthorized, match=r"\[401\] request: Authorization Required"):
        api.get("x")


@pytest.mark.parametrize("wrong", ["ü", 5, None.__class__, b"\xff"])
def test_credentials_that_are_no_ascii_text_are_a_type_error(wrong: Any) -> None:
    with pytest.raises(TypeError) as caught:
        connect(wrong, "token")
    assert "ü" not in str(caught.value)


def test_an_unknown_protocol_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="'ftp'"):
        connect("u", "t", protocol="ftp")
    with pytest.raises(ConfigError, match="slash"):
        connect("u", "t", base_path="/v1")


def test_host_path_sanitizer_and_tags_can_be_others(service: LibratoService) -> None:
    api = service.connect(
        base_path="/other/v2/", sanitizer=sanitize_metric_name, tags={"env": "prod"}
    )
    assert api.get_tags() == {"env": "prod"}
    with pytest.raises(exceptions.NotFound):
        api.get("a b")
    assert service.calls[0].target == "/other/v2/metrics/a-b"


def test_nothing_is_asked_at_construction(service: LibratoService) -> None:
    service.connect()
    assert service.calls == []


def test_requests_carry_basic_auth_and_a_user_agent(
    service: LibratoService, api: LibratoConnection
) -> None:
    list(api.list_metrics())
    assert service.calls[0].headers["authorization"].startswith("Basic ")
    assert service.calls[0].headers["user-agent"].startswith("wf-instrument/")
    assert "(python; " in service.calls[0].headers["user-agent"]
    api.custom_ua = "mine/1"
    list(api.list_metrics())
    assert service.calls[1].headers["user-agent"] == "mine/1"


def test_a_try_has_ten_seconds_unless_told_otherwise(
    service: LibratoService, api: LibratoConnection
) -> None:
    assert api.timeout == 10
    api.set_timeout(0.1)
    api.deadline = 0.15
    service.fail(-1)
    begun = time.monotonic()
    with pytest.raises(TimeoutError) as caught:
        api.get("x")
    assert time.monotonic() - begun < 8
    assert isinstance(caught.value, exceptions.ClientError)


def test_tags_are_copied_replaced_and_merged(api: LibratoConnection) -> None:
    given = {"a": "1"}
    api.set_tags(given)
    api.get_tags()["b"] = "2"
    given["c"] = "3"
    assert api.get_tags() == {"a": "1"}
    api.add_tags({"d": "4"})
    assert api.get_tags() == {"a": "1", "d": "4"}
    api.set_tags({})
    assert api.get_tags() == {}


def test_default_tags_are_not_shared_between_connections() -> None:
    connect("u", "t").add_tags({"a": "1"})
    assert connect("u", "t").get_tags() == {}


def test_get_parameters_go_into_the_query(service: LibratoService, api: LibratoConnection) -> None:
    api._mexe("metrics", query_props={"sources": ["a", "b"], "name": "x y", "none": None})  # noqa: SLF001 - a seam
    assert service.calls[0].target == "/v1/metrics?sources%5B%5D=a&sources%5B%5D=b&name=x+y"
    assert service.calls[0].body is None


@pytest.mark.parametrize(
    ("parameters", "query"),
    [
        ({"tags": {"region": "us*"}}, "tags%5Bregion%5D=us%2A"),
        ({"tags": {"r": ["a", "b"]}}, "tags%5Br%5D%5B%5D=a&tags%5Br%5D%5B%5D=b"),
        ({"breakout_sources": True, "x": False}, "breakout_sources=true&x=false"),
        ({"a": None, "b": ("c", None)}, "b%5B%5D=c"),
        ({}, ""),
    ],
)
def test_parameters_become_exactly_this_query(parameters: dict[str, Any], query: str) -> None:
    assert encode_query(parameters) == query


def test_other_methods_have_a_json_body(service: LibratoService, api: LibratoConnection) -> None:
    api.update("a", type="gauge", description="ä")
    (call,) = service.calls
    assert (call.body, call.query) == ({"type": "gauge", "description": "ä"}, {})
    assert call.headers["content-type"] == "application/json"


def test_without_parameters_there_is_no_body_and_no_content_type(
    service: LibratoService, api: LibratoConnection
) -> None:
    with pytest.raises(exceptions.NotFound):
        api.delete("a")
    assert service.calls[0].body is None
    assert "content-type" not in service.calls[0].headers
    assert "?" not in service.calls[0].target


@pytest.mark.parametrize(
    ("body", "kind", "decoded"),
    [
        (b"", "application/json", None),
        (b'{"a": 1}', "application/json; charset=utf-8", {"a": 1}),
        ('{"a": "ü"}'.encode("latin-1"), 'application/json; charset="latin-1"', {"a": "ü"}),
        (b'{"a": 1}', None, {"a": 1}),
        (b'{"a": 1}', "text/plain", '{"a": 1}'),
        (b"x", "application/json; charset=nonsense", None),
        (b"oops", None, "oops"),
    ],
)
def test_answers_are_decoded_by_their_content_type(
    body: bytes, kind: str | None, decoded: object
) -> None:
    if body == b"x":
        with pytest.raises(exceptions.BadAnswer, match="no JSON"):
            decode_body(body, kind)
    else:
        assert decode_body(body, kind) == decoded


def test_an_error_whose_body_is_no_json_keeps_its_status(
    service: LibratoService, api: LibratoConnection
) -> None:
    service.fail(400, body=b"<html>")
    with pytest.raises(exceptions.BadRequest, match=r"^\[400\] <html>$"):
        api.get("x")


@pytest.mark.parametrize("name", ["a b", "a/b", "a?b", "a#b", "ä", "%41", "a\nb"])
def test_a_name_is_one_segment_of_the_path_whatever_it_holds(
    service: LibratoService, api: LibratoConnection, name: str
) -> None:
    service.metrics[name] = {"name": name, "type": "gauge"}
    assert api.get(name).name == name


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_change_the_path_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="names nothing"):
        path_of("metrics", name)


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_passing_failures_are_tried_again_over_the_same_kept_connection(
    service: LibratoService, api: LibratoConnection, status: int
) -> None:
    service.fail(status, times=2, body={"errors": "busy"})
    waits = []

    def logic(wait: float) -> float:
        waits.append(wait)
        return 0.001 * (len(waits) + 1)

    api.backoff_logic = logic
    api.submit("a", 1)
    assert len(service.calls) == 3
    assert waits == [1.0, 0.002]
    assert len(service.points) == 1


def test_waits_double_by_default_up_to_half_a_minute() -> None:
    logic = connect("u", "t").backoff_logic
    assert [logic(1), logic(2), logic(4), logic(29)] == [2, 4, 8, 30]


@pytest.mark.slow
def test_a_stubborn_503_ends_within_the_deadline_in_a_clear_error(
    service: LibratoService, api: LibratoConnection
) -> None:
    service.fail(503, body={"errors": {"request": ["Maintenance"]}})
    api.deadline = 7  # of which half is for the last try to be answered
    begun = time.monotonic()
    with pytest.raises(exceptions.ServerError, match=r"\[503\] request: Maintenance .*tries"):
        api.submit("a", 1)
    assert time.monotonic() - begun < 15
    assert len(service.calls) > 1


def test_retry_after_beyond_the_deadline_is_told_at_once(
    service: LibratoService, api: LibratoConnection
) -> None:
    service.fail(429, headers={"Retry-After": "3600"}, body={"error": "slow down"})
    with pytest.raises(exceptions.RateLimited, match="slow down") as caught:
        api.submit("a", 1)
    assert (caught.value.retry_after_s, len(service.calls)) == (3600, 1)
    assert caught.value.headers["retry-after"] == "3600"


@pytest.mark.slow
def test_retry_after_is_waited_for(service: LibratoService, api: LibratoConnection) -> None:
    service.fail(503, times=1, headers={"Retry-After": "1"})
    api.deadline = 10
    begun = time.monotonic()
    api.submit("a", 1)
    assert time.monotonic() - begun >= 1


def test_client_errors_are_not_tried_again(service: LibratoService, api: LibratoConnection) -> None:
    service.fail(403, body={"error": "You have hit the API limit"})
    with pytest.raises(exceptions.Forbidden, match="hit the API limit"):
        api.submit("a", 1)
    assert len(service.calls) == 1


def test_a_lost_answer_of_a_creation_is_told_and_not_tried_again(
    service: LibratoService, api: LibratoConnection
) -> None:
    service.fail(0, times=1, does_happen=True)
    with pytest.raises(exceptions.ConnectionFailed):
        api.create_space("s")
    assert len(service.spaces) == 1


def test_a_lost_answer_of_a_reading_is_asked_for_again(
    service: LibratoService, api: LibratoConnection
) -> None:
    service.fail(0, times=1)
    assert list(api.list_spaces()) == []
    assert len(service.calls) == 2


def test_nobody_there_is_an_os_error_within_the_deadline() -> None:
    with LibratoService() as gone:
        api = gone.connect(deadline=0.1)
    with pytest.raises(OSError, match="nobody listens") as caught:
        api.get("x")
    assert isinstance(caught.value, exceptions.ClientError)
    assert caught.value.code is None


def test_a_certificate_nobody_trusts_is_told_at_once() -> None:
    with LoopbackReceiver(tls=True) as receiver:
        api = connect("u", "t", f"127.0.0.1:{receiver.port}", deadline=30)
        begun = time.monotonic()
        with pytest.raises(exceptions.ConnectionFailed, match="TLS failed"):
            api.submit("a", 1)
        api.close()
    assert time.monotonic() - begun < 5


def test_what_is_sent_and_answered_is_not_logged(
    service: LibratoService, api: LibratoConnection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "wf_instrument"):
        service.fail(503, times=1, body={"error": "private answer"})
        api.submit("a", 1, description="private description")
    assert caplog.records
    assert "private" not in caplog.text
    assert TOKEN not in caplog.text


def test_a_redirect_is_an_error_since_following_would_lose_the_body(
    service: LibratoService, api: LibratoConnection
) -> None:
    service.fail(301, headers={"Location": "https://elsewhere/"})
    with pytest.raises(exceptions.ClientError, match="redirects to 'https://elsewhere/'"):
        api.submit("a", 1)


def test_closing_ends_a_wait_between_tries(service: LibratoService, api: LibratoConnection) -> None:
    service.fail(503)
    api.backoff_logic, api.deadline = lambda _: 30, 120
    failed = []

    def work() -> None:
        try:
            api.submit("a", 1)
        except exceptions.ServerError as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    deadline = time.monotonic() + 10
    while not service.calls and time.monotonic() < deadline:
        thread.join(0.005)
    api.close()
    thread.join(10)
    assert len(failed) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, exceptions.BadRequest),
        (401, exceptions.Unauthorized),
        (403, exceptions.Forbidden),
        (404, exceptions.NotFound),
        (415, exceptions.ClientError),
        (422, exceptions.Unprocessable),
        (429, exceptions.RateLimited),
        (503, exceptions.ServerError),
    ],
)
def test_each_status_has_its_class(code: int, kind: type[exceptions.ClientError]) -> None:
    error = exceptions.get(code, "x")
    assert type(error) is kind
    assert isinstance(error, SendError)
    assert (error.code, error.status, error.error_payload) == (code, code, "x")


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ("plain", "plain"),
        ({"error": "a", "message": "b"}, "a"),
        ({"message": "b", "errors": {}}, "b"),
        ({"errors": {"request": "x"}}, "request: x"),
        ({"errors": {"request": ["a", "b"]}}, "request: a, request: b"),
        ({"errors": {"params": {"name": ["a", "b"]}}}, "params: name: a, b"),
        (
            {"errors": {"params": {"name": "a", "measure_time": ["b"]}}},
            "params: name: a, params: measure_time: b",
        ),
        (
            {"errors": {"params": {"conditions": {"duration": ["must be set"]}}}},
            "params: conditions: duration: must be set",
        ),
        ({"errors": ["a", "b"]}, "['a', 'b']"),
        (None, "None"),
        (["a"], "None"),
        # What the older client failed on, or cut to pieces.
        ({}, "{}"),
        ({"errors": "abc"}, "abc"),
        ({"errors": {"request": [1, None]}}, "request: 1, request: None"),
        ({"errors": {"params": {"c": {"a": "must", "b": ["x"]}}}},
         "params: c: a: must, params: c: b: x"),
    ],
)  # fmt: skip
def test_an_error_says_what_the_body_does(payload: object, text: str) -> None:
    error = exceptions.get(400, payload)
    assert str(error) == error.error_message() == f"[400] {text}"


def test_errors_can_be_pickled() -> None:
    error = exceptions.get(422, {"error": "taken"}, headers={"a": "b"})
    error.delivery = exceptions.DeliveryReport(delivered=2, waiting=1)
    twin = pickle.loads(pickle.dumps(error))
    assert (str(twin), twin.headers, type(twin)) == (str(error), {"a": "b"}, type(error))


def test_neither_repr_nor_errors_show_the_token(
    service: LibratoService, api: LibratoConnection
) -> None:
    service.fail(401, body={"error": "no"})
    with pytest.raises(exceptions.Unauthorized) as caught:
        api.get("x")
    for text in (repr(api), str(caught.value), repr(caught.value)):
        assert TOKEN not in text
        assert USER not in text


@pytest.mark.parametrize("name", ["list_dashboards", "get_instrument", "create_dashboard"])
def test_removed_calls_say_what_took_their_place(api: LibratoConnection, name: str) -> None:
    assert not hasattr(api, name)
    with pytest.raises(NotImplementedError, match=r"use (spaces|charts)"):
        getattr(api, name)()
    with pytest.raises(AttributeError, match="no attribute 'submti'"):
        api.submti()


def test_a_connection_can_be_copied_and_pickled(
    service: LibratoService, api: LibratoConnection
) -> None:
    del api.backoff_logic
    api.__dict__["backoff_logic"] = sanitize_metric_name
    api.add_tags({"a": "1"})
    for twin in (copy.copy(api), copy.deepcopy(api), pickle.loads(pickle.dumps(api))):
        assert twin.get_tags() == {"a": "1"}
        assert list(twin.list_metrics()) == []


def test_parameters_that_are_no_mapping_are_refused(api: LibratoConnection) -> None:
    with pytest.raises(TypeError, match="mapping"):
        api._mexe("metrics", query_props=["a"])  # type: ignore[arg-type]  # noqa: SLF001 - a seam
