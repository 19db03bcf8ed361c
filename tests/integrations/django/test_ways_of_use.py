"""Django instrumented by either way of use, by both, and not at all."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from a2wsgi import WSGIMiddleware
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler, StaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.test import override_settings
from wf_instrument.integrations import asgi
from wf_instrument.integrations.django import instrument_app, uninstrument_app
from wf_instrument.integrations.django.middleware import TelemetryMiddleware

import wf_instrument
from asgi_server import fetch, served_asgi
from django_serving import OURS, application, served, site
from django_site import served_wsgi, spent
from recorded import only_row
from wf_instrument.errors import ConfigError
from wf_instrument.testing import RecordingReporter


def test_both_ways_at_once_record_a_request_once(
    reporter: RecordingReporter, interface: str
) -> None:
    options = {"reporter": reporter}
    with override_settings(MIDDLEWARE=[OURS, OURS], WF_INSTRUMENT=options):
        app = instrument_app(instrument_app(application(interface)))
        with served(interface, app) as port:
            fetch(port, "/")
    assert only_row(reporter).count == 1


def test_the_middleware_leaves_the_chain_of_a_handler_that_records(
    reporter: RecordingReporter,
) -> None:
    with override_settings(MIDDLEWARE=[OURS], WF_INSTRUMENT={"reporter": reporter}):
        chain: Any = get_wsgi_application()._middleware_chain  # noqa: SLF001 - there is no other
    assert not isinstance(chain, TelemetryMiddleware)
    assert not isinstance(chain.__wrapped__, TelemetryMiddleware)


def test_the_handle_of_instrument_undoes_it_and_leaves_the_handler_as_it_was(
    reporter: RecordingReporter, interface: str
) -> None:
    app = application(interface)
    before = dict(vars(app))
    handle = wf_instrument.instrument(app, reporter=reporter)
    assert (handle.framework, handle.app) == ("django", app)
    handle.uninstrument()
    uninstrument_app(app)
    assert vars(app) == before
    with served(interface, app) as port:
        fetch(port, "/")
    assert wf_instrument.flush(5)
    assert not reporter.requests


def test_another_handler_of_the_process_is_not_recorded(
    reporter: RecordingReporter, interface: str
) -> None:
    instrument_app(application(interface), reporter=reporter)
    with served(interface, application(interface)) as port:
        fetch(port, "/")
    assert wf_instrument.flush(5)
    assert not reporter.requests


def test_what_is_no_handler_is_refused_with_what_would_do() -> None:
    with pytest.raises(ConfigError, match="get_wsgi_application"):
        instrument_app(object())


@pytest.mark.parametrize("way", ["instrument_app", "middleware"])
def test_switched_off_it_records_nothing(
    reporter: RecordingReporter, interface: str, way: str
) -> None:
    with site(reporter, interface, way, enabled=False) as port:
        assert fetch(port, "/")[0] == 200
    assert wf_instrument.flush(5)
    assert not reporter.requests


def test_excluded_paths_leave_no_trace(
    reporter: RecordingReporter, interface: str, way: str
) -> None:
    with site(reporter, interface, way, excluded_urls=["^/gone$"]) as port:
        fetch(port, "/gone")
    assert wf_instrument.flush(5)
    assert not reporter.requests
    assert not reporter.spans


def test_settings_of_django_stand_behind_arguments(reporter: RecordingReporter) -> None:
    options = {"reporter": "null://", "spans": False}
    with override_settings(WF_INSTRUMENT=options):
        app = instrument_app(get_wsgi_application(), reporter=reporter)
    with served_wsgi(app) as port:
        fetch(port, "/")
    only_row(reporter)
    assert not reporter.spans


@pytest.mark.parametrize("kind", [StaticFilesHandler, ASGIStaticFilesHandler])
@pytest.mark.parametrize(
    ("path", "route", "func", "status"),
    [
        ("/static/loopback.pem", "/static/<path:path>", "serve", 200),
        ("/static/none.css", "/static/<path:path>", "serve", 404),
        ("/shops/oslo/item/3", "/shops/<slug:name>/item/<int:number>", "Item", 200),
    ],
)
def test_a_handler_of_static_files_and_the_one_in_it_record_a_request_once(
    reporter: RecordingReporter, kind: Any, path: str, route: str, func: str, status: int
) -> None:
    interface = "wsgi" if kind is StaticFilesHandler else "asgi"
    app = instrument_app(kind(application(interface)), reporter=reporter)
    with served(interface, app) as port:
        assert fetch(port, path)[0] == status
    row = only_row(reporter)
    assert (row.count, row.key.route, row.key.func) == (1, route, func)


def test_static_files_stand_before_a_handler_that_the_middleware_has_wrapped(
    reporter: RecordingReporter,
) -> None:
    with override_settings(MIDDLEWARE=[OURS], WF_INSTRUMENT={"reporter": reporter}):
        app = instrument_app(StaticFilesHandler(get_wsgi_application()))
        with served_wsgi(app) as port:
            fetch(port, "/static/loopback.pem")
            fetch(port, "/")
    assert wf_instrument.flush(5)
    assert {(row.key.route, row.count) for row in reporter.requests} == {
        ("/static/<path:path>", 1),
        ("/", 1),
    }


def test_a_wrong_setting_is_told_when_the_application_is_made(interface: str) -> None:
    with (
        override_settings(MIDDLEWARE=[OURS], WF_INSTRUMENT={"sample_rate": 7}),
        pytest.raises(ConfigError, match="sample_rate"),
    ):
        application(interface)


def test_the_language_that_i18n_patterns_put_in_front_is_part_of_the_route(
    reporter: RecordingReporter, interface: str
) -> None:
    locale = ("django.middleware.locale.LocaleMiddleware",)
    with (
        override_settings(ROOT_URLCONF="django_languages"),
        site(reporter, interface, middleware=locale) as port,
    ):
        assert fetch(port, "/de/about/3")[0] == 200
        assert fetch(port, "/about/3")[0] == 302
    assert wf_instrument.flush(5)
    assert {(row.key.route, row.key.status) for row in reporter.requests} == {
        ("/de/about/<int:page>", 200),
        (None, 302),
    }


def test_an_end_of_the_server_delivers_what_was_recorded(reporter: RecordingReporter) -> None:
    app = instrument_app(get_asgi_application(), reporter=reporter, tick_s=60)
    with served_asgi(app, lifespan="on") as port:
        fetch(port, "/")
    assert len(reporter.requests) == 1


def test_a_telemetry_of_a_handlers_own_is_flushed_with_the_process(
    reporter: RecordingReporter, interface: str
) -> None:
    other = RecordingReporter()
    first = instrument_app(application(interface), reporter=other)
    with site(reporter, interface) as port:
        gc.collect()
        fetch(port, "/")
        wf_instrument.flush(5)
    assert first is not None
    assert wf_instrument.flush(5)
    assert len(reporter.requests) == 1


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/busy", "/busy-async", "/busy-threads"])
def test_a_wsgi_handler_inside_an_instrumented_asgi_application_is_named_and_metered(
    reporter: RecordingReporter, path: str
) -> None:
    inner = instrument_app(get_wsgi_application(), reporter=RecordingReporter())
    app: Any = WSGIMiddleware(inner)
    with served_asgi(asgi.TelemetryMiddleware(app, reporter=reporter)) as port:
        fetch(port, path)
    row = only_row(reporter)
    assert (row.key.route, row.count) == (path, 1)
    assert row.cpu is not None
    # The server's own share is in it too.
    assert sum(spent) <= row.cpu.sum <= sum(spent) * 1.2 + 0.02
