"""Trace ids in log records, in views and in whatever handles their exceptions."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from wf_instrument.integrations import fastapi as for_fastapi
from wf_instrument.integrations import starlette as for_starlette
from wf_instrument.integrations.logging import TraceIdFilter, install, uninstall

import five_sites
import wf_instrument
from asgi_server import served_asgi
from five_sites import FRAMEWORKS, serving
from flask_site import fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.testing import RecordingReporter


@pytest.fixture(autouse=True)
def installed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.INFO)
    install()
    yield
    uninstall()


def record_of(caplog: pytest.LogCaptureFixture, message: str) -> Any:
    (record,) = [one for one in caplog.records if one.getMessage().startswith(message)]
    return record


def ids(reporter: RecordingReporter) -> tuple[str, str]:
    assert wf_instrument.flush(5)
    (span,) = reporter.spans
    return f"{span.trace_id:032x}", f"{span.span_id:016x}"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_record_of_a_view_has_the_ids_of_its_request(
    reporter: RecordingReporter, caplog: pytest.LogCaptureFixture, framework: str
) -> None:
    with serving(framework, reporter=reporter) as port:
        fetch(port, "/item/7")
    record = record_of(caplog, "looked up")
    assert (record.trace_id, record.span_id) == ids(reporter)


@pytest.mark.parametrize(
    ("framework", "route"),
    [("flask", "/item/<number>"), ("starlette", "/item/{number}"), ("fastapi", "/item/{number}")],
)
def test_a_record_of_a_view_has_its_route(
    reporter: RecordingReporter, caplog: pytest.LogCaptureFixture, framework: str, route: str
) -> None:
    with serving(framework, reporter=reporter) as port:
        fetch(port, "/item/7")
    assert record_of(caplog, "looked up").route == route


@pytest.mark.parametrize("framework", ["flask", "starlette", "fastapi"])
def test_in_an_exception_handler_the_ids_are_those_of_the_request(
    reporter: RecordingReporter, caplog: pytest.LogCaptureFixture, framework: str
) -> None:
    with serving(framework, reporter=reporter) as port:
        assert fetch(port, "/boom")[2] == b"sorry"
    record = record_of(caplog, "handled")
    assert (record.trace_id, record.span_id) == ids(reporter)


@pytest.mark.parametrize("kind", [Exception, ValueError, 500])
@pytest.mark.parametrize("handler", [five_sites.handle_error, five_sites.handle_error_in_thread])
@pytest.mark.parametrize("framework", ["starlette", "fastapi"])
def test_so_they_are_in_handlers_of_any_kind_inside_and_outside_of_the_middlewares(
    reporter: RecordingReporter,
    caplog: pytest.LogCaptureFixture,
    framework: str,
    handler: Any,
    kind: Any,
) -> None:
    make = {"starlette": five_sites.starlette_site, "fastapi": five_sites.fastapi_site}[framework]
    app: Any = make(handler, kind)
    {"starlette": for_starlette, "fastapi": for_fastapi}[framework].instrument_app(
        app, reporter=reporter
    )
    with served_asgi(app) as port:
        assert fetch(port, "/boom")[2] == b"sorry"
    record = record_of(caplog, "handled")
    assert (record.trace_id, record.span_id) == ids(reporter)


def test_so_they_are_outside_of_a_middleware_that_was_added(
    reporter: RecordingReporter, caplog: pytest.LogCaptureFixture
) -> None:
    middleware = Middleware(for_starlette.TelemetryMiddleware, reporter=reporter)
    app = Starlette(
        routes=five_sites.starlette_site().routes,
        middleware=[middleware],
        exception_handlers={Exception: five_sites.handle_error},
    )
    with served_asgi(app) as port:
        assert fetch(port, "/boom")[2] == b"sorry"
    record = record_of(caplog, "handled")
    assert (record.trace_id, record.span_id) == ids(reporter)


@pytest.mark.parametrize(
    ("framework", "message"), [("asgi", "Exception in ASGI"), ("wsgi", "Error on request")]
)
def test_so_they_are_where_the_server_logs_what_escaped_the_application(
    reporter: RecordingReporter, caplog: pytest.LogCaptureFixture, framework: str, message: str
) -> None:
    with serving(framework, reporter=reporter) as port:
        assert fetch(port, "/boom")[0] == 500
    record = record_of(caplog, message)
    assert (record.trace_id, record.span_id) == ids(reporter)


def test_outside_of_a_span_the_ids_are_empty(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("shop").info("alone")
    record = record_of(caplog, "alone")
    assert (record.trace_id, record.span_id, record.route) == ("", "", "")


def test_fields_of_the_application_win_over_ours(caplog: pytest.LogCaptureFixture) -> None:
    with wf_instrument.get_tracer().start_active_span("job"):
        logging.getLogger("shop").info("mine", extra={"trace_id": "own", "route": "north"})
    record = record_of(caplog, "mine")
    assert (record.trace_id, record.route, len(record.span_id)) == ("own", "north", 16)


def test_installing_twice_and_uninstalling_leaves_logging_as_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    install()
    uninstall()
    assert logging.Logger.makeRecord.__module__ == "logging"
    logging.getLogger("shop").info("plain")
    assert not hasattr(record_of(caplog, "plain"), "trace_id")


def test_a_filter_does_the_same_for_one_handler() -> None:
    uninstall()
    record = logging.makeLogRecord({"msg": "filtered"})
    with wf_instrument.get_tracer().start_active_span("job") as scope:
        assert TraceIdFilter().filter(record)
    fields: Any = record
    assert fields.trace_id == f"{scope.span.trace_id_int:032x}"
