"""Spans and log lines of Django's requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.asgi import get_asgi_application
from django.core.handlers import asgi
from django.core.wsgi import get_wsgi_application
from django.test import override_settings
from wf_instrument.integrations.django import instrument_app

import django_site
import wf_instrument
from asgi_server import fetch, served_asgi
from django_serving import site
from recorded import only_row
from wf_instrument.web.current import current_request

if TYPE_CHECKING:
    from wf_instrument.testing import RecordingReporter


@pytest.mark.parametrize("path", ["/look", "/look-async"])
def test_the_span_is_active_in_the_view_and_continues_the_callers_trace(
    reporter: RecordingReporter, interface: str, way: str, path: str
) -> None:
    def trace_id() -> object:
        request = current_request()
        return None if request is None else f"{request.trace_id():032x}"

    django_site.look.append(trace_id)
    incoming = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with site(reporter, interface, way) as port:
        body = fetch(port, path, traceparent=incoming)[2]
    assert body == b"0af7651916cd43dd8448eb211c80319c"
    only_row(reporter)
    (span,) = reporter.spans
    tags = dict(span.tags)
    assert (tags["component"], tags["http.route"], tags["span.kind"]) == ("django", path, "server")


@pytest.mark.parametrize(
    "changed", [{}, {"FORCE_SCRIPT_NAME": "/forced"}], ids=["server", "setting"]
)
def test_the_script_name_is_in_the_url_and_not_in_the_route(
    reporter: RecordingReporter, changed: dict[str, object]
) -> None:
    with override_settings(**changed):
        app = instrument_app(get_wsgi_application(), reporter=reporter)
        environ: dict[str, Any] = {"PATH_INFO": "/gone", "SCRIPT_NAME": "/forced"}
        setup_testing_defaults(environ)
        list(app(environ, lambda *_: None))
    assert only_row(reporter).key.route == "/gone"
    (span,) = reporter.spans
    assert dict(span.tags)["http.url"] == "http://127.0.0.1/forced/gone"


def test_the_root_path_is_in_the_url_and_not_in_the_route(reporter: RecordingReporter) -> None:
    app = instrument_app(get_asgi_application(), reporter=reporter)
    with served_asgi(app, root_path="/forced") as port:
        fetch(port, "/gone")
    assert only_row(reporter).key.route == "/gone"
    (span,) = reporter.spans
    assert dict(span.tags)["http.url"].endswith("/forced/gone")


def test_a_script_name_of_the_settings_is_in_the_url_under_asgi(
    reporter: RecordingReporter,
) -> None:
    with override_settings(FORCE_SCRIPT_NAME="/forced"):
        app = instrument_app(get_asgi_application(), reporter=reporter, url_query=True)
        with served_asgi(app) as port:
            fetch(port, "/gone?a=1")
            fetch(port, "/forced/gone")
    assert wf_instrument.flush(5)
    urls = [dict(span.tags)["http.url"].partition(str(port))[2] for span in reporter.spans]
    # Older versions have a prefix of the settings in links alone, not in the request's own path.
    prefix = "/forced" if hasattr(asgi, "get_script_prefix") else ""
    assert urls == [f"{prefix}/gone?a=1", "/forced/gone"]


@pytest.mark.parametrize("tail", ["a%C3%A6", "%E6%BC%A2", "plain"])
def test_a_log_line_has_the_path_that_the_view_sees(
    reporter: RecordingReporter,
    interface: str,
    way: str,
    tail: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        caplog.at_level("INFO", logger="wf_instrument.access"),
        site(reporter, interface, way, log_line="json") as port,
    ):
        fetch(port, f"/style/{tail}/make")
    only_row(reporter)
    (line,) = [vars(one) for one in caplog.records if one.name == "wf_instrument.access"]
    assert line["wf"]["path"] == f"/style/{unquote(tail)}/make"
