"""One wide event a request through `wf_instrument.access`, in every framework."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wf_instrument.integrations.asgi import TelemetryMiddleware as AsgiMiddleware
from wf_instrument.integrations.wsgi import TelemetryMiddleware as WsgiMiddleware

import wf_instrument
from five_sites import BODY, FRAMEWORKS, asgi_site, serving
from flask_site import fetch
from wf_instrument.guard import errors_caught
from wf_instrument.testing import RecordingReporter
from wf_instrument.web.access_line import AccessLine
from wf_instrument.web.request import RequestRecord
from wf_instrument.web.series import RouteHandle

if TYPE_CHECKING:
    from collections.abc import Iterator

every_framework = pytest.mark.parametrize("framework", FRAMEWORKS)


@pytest.fixture
def reporter() -> Iterator[RecordingReporter]:
    yield RecordingReporter()
    wf_instrument.shutdown(5)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> list[Any]:
    """The access lines so far; the logger is listened to."""
    caplog.set_level(logging.INFO, logger="wf_instrument.access")
    kept: list[Any] = []

    class Keep(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            if record.name == "wf_instrument.access":
                kept.append(record)
            return True

    caplog.handler.addFilter(Keep())
    return kept


class _Record(RequestRecord):
    """A request that has ended, made by hand."""

    method = "GET"
    started_ns = 0
    started_mono_ns = 0
    status = 200
    was_asked = 0
    dimensions: ClassVar = {"tenant": "north shop"}
    handle = RouteHandle("wsgi", None, None, None, "GET", "http", "1.1", None)

    path_asked = "/"

    def target(self) -> str:
        self.was_asked += 1
        return self.path_asked


@contextmanager
def listening(handler: logging.Handler) -> Iterator[None]:
    """Have a handler alone listen to the access logger, while the block runs."""
    access = logging.getLogger("wf_instrument.access")
    level, access.propagate = access.level, False
    access.setLevel(logging.INFO)
    access.addHandler(handler)
    try:
        yield
    finally:
        access.removeHandler(handler)
        access.setLevel(level)
        access.propagate = True


def only_line(lines: list[Any]) -> Any:
    # A request is recorded, its line included, a moment after the client has the last byte.
    assert wf_instrument.flush(5)
    wf_instrument.shutdown(5)
    (line,) = lines
    return line


@every_framework
def test_a_json_line_is_one_object_that_tells_the_request(
    reporter: RecordingReporter, lines: list[Any], framework: str
) -> None:
    with serving(framework, reporter=reporter, log_line="json") as port:
        fetch(port, "/item/7?secret=1")
    line = only_line(lines)
    event = json.loads(line.getMessage())
    (span,) = reporter.spans
    assert event["path"] == "/item/7"
    assert (event["framework"], event["status"], event["outcome"]) == (framework, 200, "ok")
    assert event["response_bytes"] == len(BODY)
    assert (event["trace_id"], event["span_id"]) == (
        f"{span.trace_id:032x}",
        f"{span.span_id:016x}",
    )
    assert 0 <= event["ttfb_ms"] <= event["latency_ms"]
    assert event["cpu_ms"] >= 0
    assert "error_type" not in event
    assert line.wf == event


@pytest.mark.parametrize(
    ("framework", "route"),
    [("flask", "/item/<number>"), ("starlette", "/item/{number}"), ("fastapi", "/item/{number}")],
)
def test_a_text_line_is_pairs_that_tell_the_route_and_the_fields_are_on_the_record(
    reporter: RecordingReporter, lines: list[Any], framework: str, route: str
) -> None:
    with serving(framework, reporter=reporter, log_line="text") as port:
        fetch(port, "/item/7", X_Request_Start="t=1")
    line = only_line(lines)
    text = line.getMessage()
    assert " method=GET path=/item/7 " in text
    assert f" route={route} " in text
    assert " status=200 outcome=ok " in text
    assert "queued_ms" not in text
    assert line.wf["route"] == route


@pytest.mark.parametrize("framework", ["starlette", "fastapi", "asgi", "wsgi"])
def test_the_line_of_a_failed_request_names_the_error(
    reporter: RecordingReporter, lines: list[Any], framework: str
) -> None:
    with serving(framework, reporter=reporter, log_line="json") as port:
        fetch(port, "/boom")
    event = only_line(lines).wf
    assert (event["status"], event["outcome"], event["error_type"]) == (
        500, "server_error", "ValueError",
    )  # fmt: skip


@every_framework
def test_nothing_in_a_path_can_break_a_text_line_in_two(
    reporter: RecordingReporter, lines: list[Any], framework: str
) -> None:
    with serving(framework, reporter=reporter, log_line="text") as port:
        fetch(port, "/item/%0Astatus=200%20%22%C3%A9%1b")
    line = only_line(lines)
    assert line.wf["path"] == '/item/\nstatus=200 "é\x1b'
    assert r'path="/item/\nstatus=200 \"\u00e9\u001b"' in line.getMessage()
    assert re.fullmatch("[ -~]+", line.getMessage())


@every_framework
def test_the_query_is_in_the_line_only_if_settings_allow(
    reporter: RecordingReporter, lines: list[Any], framework: str
) -> None:
    with serving(framework, reporter=reporter, log_line="text", url_query=True) as port:
        fetch(port, "/item/7?size=m")
    assert only_line(lines).wf["path"] == "/item/7?size=m"


@every_framework
def test_without_spans_and_metrics_there_is_still_a_line(
    reporter: RecordingReporter, lines: list[Any], framework: str
) -> None:
    with serving(framework, reporter=reporter, log_line="json", spans=False, metrics=False) as port:
        fetch(port, "/item/7")
    event = only_line(lines).wf
    assert (event["status"], event["outcome"]) == (200, "ok")
    assert "trace_id" not in event


def test_dimensions_of_the_record_are_in_the_line(lines: list[Any]) -> None:
    record = _Record()
    AccessLine("text").write(record, record.handle, 2_000_000, -1)
    assert lines[0].wf["dimensions"] == {"tenant": "north shop"}
    assert lines[0].getMessage().endswith(' tenant="north shop"')


@pytest.mark.slow
@given(path=st.text(), key=st.text(min_size=1), value=st.text())
def test_whatever_is_in_its_values_a_line_is_one_line(path: str, key: str, value: str) -> None:
    record = _Record()
    record.path_asked = path
    record.dimensions = {key: value}  # type: ignore[misc]  # a class attribute by default
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda line: lines.append(line.getMessage())  # type: ignore[method-assign]
    with listening(handler):
        AccessLine("text").write(record, record.handle, 1, 1)
        AccessLine("json").write(record, record.handle, 1, 1)
    assert all(re.fullmatch("[ -~]+", line) for line in lines)
    assert json.loads(lines[1])["dimensions"] == {key: value}
    assert json.loads(lines[1])["path"] == path[:2000]


def test_the_line_comes_after_the_last_byte_of_an_asgi_response(
    reporter: RecordingReporter,
) -> None:
    order: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda line: order.append("line")  # type: ignore[method-assign]

    async def send(message: Any) -> None:
        order.append(message["type"])

    served = AsgiMiddleware(asgi_site, reporter=reporter, log_line="text")
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    with listening(handler):
        asyncio.run(served(scope, asyncio.sleep, send))  # type: ignore[arg-type]  # never received
    assert order == ["http.response.start", "http.response.body", "line"]


def test_a_client_that_leaves_early_is_told_in_the_line(
    reporter: RecordingReporter, lines: list[Any]
) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"first"
        yield b"second"

    served = WsgiMiddleware(app, reporter=reporter, log_line="text")
    body: Any = served({"REQUEST_METHOD": "GET"}, lambda *arguments: print)
    assert next(iter(body)) == b"first"
    assert lines == []
    body.close()
    event = lines[0].wf
    assert (event["outcome"], event["response_bytes"]) == ("client_disconnect", 5)


def test_nothing_is_formatted_when_nobody_listens(
    reporter: RecordingReporter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="wf_instrument.access")
    record = _Record()
    AccessLine("json").write(record, record.handle, 1, 1)
    assert record.was_asked == 0


@pytest.mark.expects_caught
@every_framework
def test_a_logging_filter_that_raises_changes_no_response(
    reporter: RecordingReporter, lines: list[Any], framework: str
) -> None:
    class Broken(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("filter")

    access = logging.getLogger("wf_instrument.access")
    broken = Broken()
    access.addFilter(broken)
    before = errors_caught["extras.log_line"]
    try:
        with serving(framework, reporter=reporter, log_line="json") as port:
            assert fetch(port, "/item/7")[::2] == (200, BODY.encode())
        wf_instrument.shutdown(5)
    finally:
        access.removeFilter(broken)
    assert errors_caught["extras.log_line"] == before + 1
    assert reporter.count(status=200) == 1
