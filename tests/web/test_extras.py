"""Hooks, captured headers and what callers are told, in every framework."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wf_instrument.integrations.wsgi import TelemetryMiddleware

import wf_instrument
from five_sites import FRAMEWORKS, HEADERS, serving, wsgi_site
from flask_site import fetch
from wf_instrument.errors import ConfigError
from wf_instrument.guard import errors_caught
from wf_instrument.telemetry import telemetry_for
from wf_instrument.testing import RecordingReporter
from wf_instrument.web.captured_headers import CapturedHeaders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.tracing.span_data import SpanData

every_framework = pytest.mark.parametrize("framework", FRAMEWORKS)


@pytest.fixture
def reporter() -> Iterator[RecordingReporter]:
    yield RecordingReporter()
    wf_instrument.shutdown(5)


def only_span(reporter: RecordingReporter) -> SpanData:
    assert wf_instrument.flush(5)
    (span,) = reporter.spans
    return span


def path_of(request: dict[str, Any]) -> object:
    return request["path"] if "path" in request else request["PATH_INFO"]


@every_framework
def test_a_request_hook_reads_the_request_and_sets_tags(
    reporter: RecordingReporter, framework: str
) -> None:
    def hook(span: Any, request: dict[str, Any]) -> None:
        span.set_tag("asked", path_of(request))
        span.set_tag("method", dict(span.get_tags_as_list())["http.method"])

    with serving(framework, reporter=reporter, request_hook=hook) as port:
        fetch(port, "/item/7")
    tags = dict(only_span(reporter).tags)
    assert (tags["asked"], tags["method"]) == ("/item/7", "GET")


@every_framework
def test_a_request_hook_runs_with_the_span_active(
    reporter: RecordingReporter, framework: str
) -> None:
    seen = []

    def hook(span: Any, request: object) -> None:
        seen.append(wf_instrument.get_tracer().active_span is span)

    with serving(framework, reporter=reporter, start_span_cb=hook) as port:
        fetch(port, "/item/7")
    assert seen == [True]


@every_framework
def test_a_response_hook_is_given_status_and_headers_as_text(
    reporter: RecordingReporter, framework: str
) -> None:
    def hook(span: Any, request: Any, status: int, headers: list[tuple[str, str]]) -> None:
        shop = {name.lower(): value for name, value in headers}["x-shop"]
        span.set_tag("answer", f"{path_of(request)} {status} {shop}")
        headers.append(("X-Sneaked", "in"))

    with serving(framework, reporter=reporter, response_hook=hook) as port:
        _, headers, _ = fetch(port, "/item/7")
    assert dict(only_span(reporter).tags)["answer"] == "/item/7 200 north"
    assert "X-Sneaked" not in dict(headers)


def broken(*arguments: object) -> None:
    raise RuntimeError("hook")


async def _late() -> str:
    return "nobody waits"


def nonsense(span: Any, *arguments: object) -> object:
    span.set_tag("answer", object())
    return _late()


@pytest.mark.slow
@pytest.mark.expects_caught
@pytest.mark.parametrize("name", ["request_hook", "response_hook", "start_span_cb"])
@pytest.mark.parametrize("hook", [broken, nonsense])
@every_framework
def test_a_hook_that_fails_is_counted_and_changes_no_response(
    reporter: RecordingReporter, framework: str, hook: Any, name: str
) -> None:
    with serving(framework, is_bare=True) as port:
        expected = fetch(port, "/item/7")
    before = sum(errors_caught.values())
    settings = {"reporter": reporter, name: hook}
    with serving(framework, **settings) as port:
        assert fetch(port, "/item/7") == expected
    assert sum(errors_caught.values()) == before + 1
    assert wf_instrument.flush(5)
    assert reporter.count(status=200) == 1


@pytest.mark.parametrize("hook", ["print", _late])
def test_a_hook_that_could_never_work_is_told_at_the_start(hook: object) -> None:
    with pytest.raises(ConfigError, match=r"'request_hook'.*plain function"):
        serving("wsgi", reporter="null://", request_hook=hook).__enter__()


@every_framework
def test_headers_are_captured_only_if_named_and_secrets_never(
    reporter: RecordingReporter, framework: str
) -> None:
    with serving(
        framework,
        reporter=reporter,
        captured_request_headers=["X-Tenant", "authorization", "Content-Type", "x-absent"],
        captured_response_headers="x-SHOP set-cookie",
    ) as port:
        fetch(port, "/item/7", Content_Type="a/b", X_Tenant="a\tb", X_Other="c", Authorization="Me")
    tags = {name: text for name, text in only_span(reporter).tags if ".header." in name}
    assert tags == {
        "http.request.header.x-tenant": "a b",
        "http.request.header.authorization": "[redacted]",
        "http.request.header.content-type": "a/b",
        "http.response.header.x-shop": "north",
        "http.response.header.set-cookie": "[redacted]",
    }


@every_framework
def test_a_captured_header_is_bounded(reporter: RecordingReporter, framework: str) -> None:
    with serving(framework, reporter=reporter, captured_request_headers="x-long") as port:
        fetch(port, "/item/7", X_Long="x" * 5000)
    assert dict(only_span(reporter).tags)["http.request.header.x-long"] == "x" * 256


def test_a_name_that_no_header_can_have_is_told_at_the_start() -> None:
    with pytest.raises(ConfigError, match="captured_request_headers holds 'x:y'"):
        serving("wsgi", reporter="null://", captured_request_headers="x:y").__enter__()


@every_framework
def test_callers_are_told_the_durations_beside_what_the_application_tells(
    reporter: RecordingReporter, framework: str
) -> None:
    with serving(framework, reporter=reporter, server_timing=True) as port:
        _, headers, _ = fetch(port, "/item/7")
    first, ours = [value for name, value in headers if name.lower() == "server-timing"]
    assert first == "db;dur=5"
    assert re.fullmatch(r"app;dur=\d+\.\d", ours)


@every_framework
def test_callers_are_told_the_wait_in_front_where_a_proxy_stamped_it(
    reporter: RecordingReporter, framework: str
) -> None:
    with serving(framework, reporter=reporter, server_timing=True) as port:
        _, headers, _ = fetch(port, "/item/7", X_Request_Start=f"t={time.time() - 2}")
    ours = [value for name, value in headers if name.lower() == "server-timing"][1]
    match = re.fullmatch(r"app;dur=\d+\.\d, queue;dur=(\d+)\.\d", ours)
    assert match is not None
    assert 2000 <= int(match[1]) < 60_000


@every_framework
def test_callers_are_told_the_span_that_served_them(
    reporter: RecordingReporter, framework: str
) -> None:
    with serving(framework, reporter=reporter, trace_response=True) as port:
        _, headers, _ = fetch(port, "/item/7")
    span = only_span(reporter)
    told = {name.lower(): value for name, value in headers}["traceresponse"]
    assert told == f"00-{span.trace_id:032x}-{span.span_id:016x}-01"


@pytest.mark.slow
@every_framework
def test_a_response_is_the_same_without_any_of_it_and_grows_only_at_its_end(
    reporter: RecordingReporter, framework: str
) -> None:
    with serving(framework, is_bare=True) as port:
        bare = fetch(port, "/item/7")
    with serving(framework, reporter=reporter) as port:
        assert fetch(port, "/item/7") == bare
    with serving(framework, reporter=reporter, trace_response=True, server_timing=True) as port:
        status, headers, body = fetch(port, "/item/7")
    kept = [pair for pair in headers if pair in bare[1]]
    assert (status, kept, body) == bare
    assert len(headers) == len(bare[1]) + 2


def test_the_list_of_headers_that_an_application_gave_stays_as_it_is(
    reporter: RecordingReporter,
) -> None:
    given: list[tuple[str, str]] = list(HEADERS)

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", given)
        return [b""]

    sent: list[Any] = []
    served = TelemetryMiddleware(app, reporter=reporter, server_timing=True)
    list(served({"REQUEST_METHOD": "GET"}, lambda status, headers: sent.append(headers)))
    assert given == HEADERS
    assert len(sent[0]) == len(HEADERS) + 1


def test_a_traceresponse_of_the_application_is_the_only_one(reporter: RecordingReporter) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Traceresponse", "00-upstream")])
        return [b""]

    sent: list[Any] = []
    served = TelemetryMiddleware(app, reporter=reporter, trace_response=True)
    list(served({"REQUEST_METHOD": "GET"}, lambda status, headers: sent.append(headers)))
    assert sent == [[("Traceresponse", "00-upstream")]]


@pytest.mark.expects_caught
def test_headers_that_are_no_pairs_reach_the_server_as_they_were(
    reporter: RecordingReporter,
) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("three", "parts", "each")])
        return wsgi_site(environ, start_response)

    sent: list[Any] = []
    served = TelemetryMiddleware(
        app,
        reporter=reporter,
        trace_response=True,
        response_hook=lambda *arguments: None,
        captured_response_headers="x-shop",
    )
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/item/7"}
    list(served(environ, lambda status, headers: sent.append(headers)))
    assert sent[0] == [("three", "parts", "each")]


def test_an_answer_that_replaces_another_before_it_is_sent_gives_the_tags(
    reporter: RecordingReporter,
) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("X-Shop", "north"), ("X-Cart", "full")])
        start_response("500 Oops", [("X-Shop", "south")], (None, None, None))
        return [b""]

    served = TelemetryMiddleware(app, reporter=reporter, captured_response_headers="x-shop x-cart")
    list(served({"REQUEST_METHOD": "GET"}, lambda *arguments: print))
    tags = [pair for pair in only_span(reporter).tags if ".header." in pair[0]]
    assert tags == [("http.response.header.x-shop", "south")]


@pytest.mark.parametrize(
    "name",
    ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-csrf-token",
     "x-amz-security-token", "x-client-secret", "x-password", "session-id", "x-hub-signature-256"],
)  # fmt: skip
def test_the_usual_secrets_are_never_captured(name: str) -> None:
    captured = CapturedHeaders("request", [name.title()])
    assert captured.of_pairs([(name.encode(), b"hidden")]) == (
        (f"http.request.header.{name}", "[redacted]"),
    )


@given(value=st.binary(max_size=600))
def test_no_control_character_of_a_header_reaches_a_tag(value: bytes) -> None:
    captured = CapturedHeaders("request", ["x-a"])
    ((_, text),) = captured.of_pairs([(b"X-A", value)])
    assert len(text) == min(len(value), 256)
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in text)


def test_values_of_a_repeated_header_are_joined() -> None:
    captured = CapturedHeaders("response", ["x-a"])
    pairs = captured.of_pairs([("X-A", "1"), ("x-b", "2"), ("x-a", "3")])
    assert pairs == (("http.response.header.x-a", "1, 3"),)


def test_without_settings_and_hooks_requests_pass_no_extra_code(
    reporter: RecordingReporter,
) -> None:
    telemetry = telemetry_for({"reporter": reporter})
    assert telemetry.recorder("wsgi", lambda route: ("", None, None)).extras is None
