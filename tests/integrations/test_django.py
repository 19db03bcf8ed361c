"""What Django's requests are recorded as, under WSGI and ASGI, by either way of use."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from wsgiref.util import FileWrapper, setup_testing_defaults

import django
import pytest
from a2wsgi import WSGIMiddleware
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler, StaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.exceptions import MiddlewareNotUsed
from django.core.wsgi import get_wsgi_application
from django.test import AsyncClient, Client, RequestFactory, override_settings
from wf_instrument.integrations import asgi
from wf_instrument.integrations.django import instrument_app, uninstrument_app
from wf_instrument.integrations.django.middleware import TelemetryMiddleware

import django_site
import wf_instrument
from asgi_server import fetch, served_asgi
from django_site import hang_up, served_wsgi, spent
from wf_instrument.errors import ConfigError
from wf_instrument.testing import RecordingReporter
from wf_instrument.web.current import current_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.reporting.snapshot import RequestInterval

OURS = "wf_instrument.integrations.django.middleware.TelemetryMiddleware"
#: Django says so of a stream that is not of the kind the server could consume bit by bit.
either_kind_of_stream = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
async_streams = pytest.mark.skipif(django.VERSION < (4, 2), reason="has no asynchronous streams")
listens = pytest.mark.skipif(django.VERSION < (5,), reason="listens to no disconnect")


@pytest.fixture
def reporter() -> Iterator[RecordingReporter]:
    spent.clear()
    yield RecordingReporter()
    wf_instrument.shutdown(5)


@pytest.fixture(params=["wsgi", "asgi"])
def interface(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["instrument_app", "middleware"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def application(interface: str) -> Any:
    return get_wsgi_application() if interface == "wsgi" else get_asgi_application()


def served(interface: str, app: Any) -> Any:
    return served_wsgi(app) if interface == "wsgi" else served_asgi(app)


@contextmanager
def site(
    reporter: RecordingReporter,
    interface: str,
    way: str = "instrument_app",
    middleware: tuple[str, ...] = (),
    **settings: object,
) -> Iterator[int]:
    """Serve the site, instrumented in one of the two ways."""
    options = {"reporter": reporter, **settings}
    with ExitStack() as stack:
        if way == "middleware":
            chosen = {"MIDDLEWARE": [*middleware, OURS], "WF_INSTRUMENT": options}
            stack.enter_context(override_settings(**chosen))
            app = application(interface)
        else:
            stack.enter_context(override_settings(MIDDLEWARE=list(middleware)))
            app = instrument_app(application(interface), **options)
        yield stack.enter_context(served(interface, app))


def only_row(reporter: RecordingReporter) -> RequestInterval:
    assert wf_instrument.flush(5)
    (row,) = reporter.requests
    return row


@either_kind_of_stream
@pytest.mark.parametrize(
    ("path", "route", "func", "status", "outcome"),
    [
        pytest.param("/", "/", "home", 200, "ok", id="root"),
        pytest.param(
            "/style/a/b/make", "/style/<path:id>/make", "make_shirts", 200, "ok", id="template"
        ),
        pytest.param(
            "/shops/oslo/item/3", "/shops/<slug:name>/item/<int:number>", "Item", 200, "ok",
            id="class-based-view-of-an-include-with-namespace",
        ),
        pytest.param(
            "/shops/oslo/old/1999/", "/shops/<slug:name>/old/(?P<year>[0-9]{4})/$", "home", 200,
            "ok", id="regex-in-an-include",
        ),
        pytest.param(
            "/articles/2001/", "/^articles/(?P<year>[0-9]{4})/$", "home", 200, "ok", id="regex"
        ),
        pytest.param("/nothing", None, None, 404, "client_error", id="no-route"),
        pytest.param("/gone", "/gone", "gone", 404, "client_error", id="http404-of-the-view"),
        pytest.param("/denied", "/denied", "denied", 403, "client_error", id="permission"),
        pytest.param("/suspicious", "/suspicious", "suspicious", 400, "client_error", id="odd"),
        pytest.param("/redirect", "/redirect", "redirect", 302, "ok", id="redirect"),
        pytest.param("/file", "/file", "file", 200, "ok", id="file"),
        pytest.param("/%00%0d%0a%ff%C3%A6", None, None, 404, "client_error", id="odd-characters"),
        pytest.param("/" + "x" * 3000, None, None, 404, "client_error", id="very-long-path"),
    ],
)  # fmt: skip
def test_a_request_is_recorded_under_its_template_view_and_status(
    reporter: RecordingReporter,
    interface: str,
    path: str,
    route: str | None,
    func: str | None,
    status: int,
    outcome: str,
) -> None:
    with site(reporter, interface) as port:
        assert fetch(port, path)[0] == status
    key = only_row(reporter).key
    assert (key.framework, key.route, key.func, key.status, key.outcome, key.error_type) == (
        "django", route, func, status, outcome, None,
    )  # fmt: skip
    assert key.module == (None if route is None else "django_site")


def test_a_method_that_is_not_allowed_keeps_the_route(
    reporter: RecordingReporter, interface: str
) -> None:
    with site(reporter, interface) as port:
        fetch(port, "/only-get", "DELETE")
    key = only_row(reporter).key
    assert (key.route, key.method, key.status) == ("/only-get", "DELETE", 405)


@pytest.mark.parametrize("path", ["/boom", "/boom-async"])
def test_a_view_that_raises_is_a_500_with_the_exceptions_name_and_stack(
    reporter: RecordingReporter, interface: str, way: str, path: str
) -> None:
    with site(reporter, interface, way) as port:
        assert fetch(port, path)[0] == 500
    key = only_row(reporter).key
    assert (key.route, key.status, key.outcome, key.error_type) == (
        path, 500, "server_error", "ValueError",
    )  # fmt: skip
    (span,) = reporter.spans
    assert span.is_error
    fields = dict(span.logs[0].fields)
    assert fields["message"] == "no shirts"
    assert "in boom" in fields["stack"]


def test_a_timeout_that_the_view_raises_is_told_apart(
    reporter: RecordingReporter, interface: str
) -> None:
    with site(reporter, interface) as port:
        fetch(port, "/timeout")
    key = only_row(reporter).key
    assert (key.status, key.outcome) == (500, "timeout")


def test_an_exception_that_django_lets_through_is_recorded_and_reaches_the_server(
    reporter: RecordingReporter,
) -> None:
    app = instrument_app(get_wsgi_application(), reporter=reporter)
    environ: dict[str, Any] = {"PATH_INFO": "/boom"}
    setup_testing_defaults(environ)
    with (
        override_settings(DEBUG_PROPAGATE_EXCEPTIONS=True),
        pytest.raises(ValueError, match="no shirts"),
    ):
        app(environ, lambda *_: None)
    key = only_row(reporter).key
    assert (key.route, key.status, key.error_type) == ("/boom", 500, "ValueError")


def test_module_and_func_are_the_tags_of_wavefronts_series(
    reporter: RecordingReporter, interface: str
) -> None:
    with site(reporter, interface) as port:
        fetch(port, "/")
    from wf_instrument.identity import ApplicationTags, Identity
    from wf_instrument.metrics.conventions.hierarchical import Hierarchy

    key = only_row(reporter).key
    names = Hierarchy(Identity(ApplicationTags("shop", "styles"), "host"))
    series = names.of_requests(
        key.framework, key.route, key.func, key.module, key.method, key.status
    )
    tags = dict(series[0].tags)
    assert series[0].name == "django.response._root_.GET.200.cumulative.count"
    assert (tags["django.resource.module"], tags["django.resource.func"]) == (
        "django_site",
        "home",
    )


# CPU time ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("spans", [True, False], ids=["spans", "no-spans"])
@pytest.mark.parametrize("path", ["/busy", "/busy-async", "/busy-threads"])
@pytest.mark.parametrize("middleware", [(), ("BusySync",), ("BusyAsync",)], ids=str)
def test_cpu_time_is_that_of_view_and_middleware_wherever_they_run(
    reporter: RecordingReporter, interface: str, middleware: tuple[str], path: str, spans: bool
) -> None:
    names = tuple(f"django_site.{name}" for name in middleware)
    with site(reporter, interface, middleware=names, spans=spans) as port:
        fetch(port, "/")  # what is made once is not looked at
        spent.clear()
        fetch(port, path)
    assert wf_instrument.flush(5)
    (row,) = [row for row in reporter.requests if row.key.route == path]
    assert row.cpu is not None
    assert len(spent) >= 1
    assert sum(spent) <= row.cpu.sum <= sum(spent) * 1.1


@either_kind_of_stream
@async_streams
@pytest.mark.slow
def test_cpu_time_of_a_stream_is_the_requests(reporter: RecordingReporter, interface: str) -> None:
    with site(reporter, interface) as port:
        fetch(port, "/stream-async")
    cpu = only_row(reporter).cpu
    assert cpu is not None
    assert sum(spent) <= cpu.sum <= sum(spent) * 1.2


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/busy", "/busy-async"])
def test_a_request_that_waits_is_not_charged_for_others(
    reporter: RecordingReporter, path: str
) -> None:
    with site(reporter, "asgi") as port, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: fetch(port, path), range(4)))
    row = only_row(reporter)
    assert row.count == 4
    assert row.cpu is not None
    assert sum(spent) <= row.cpu.sum <= sum(spent) * 1.1


# Bodies and their ends -----------------------------------------------------------------------


@either_kind_of_stream
@pytest.mark.slow
@pytest.mark.parametrize("path", ["/stream", pytest.param("/stream-async", marks=async_streams)])
def test_a_streamed_response_lasts_until_its_last_byte(
    reporter: RecordingReporter, interface: str, way: str, path: str
) -> None:
    with site(reporter, interface, way) as port:
        assert len(fetch(port, path)[2]) == 5000
    row = only_row(reporter)
    assert row.response_bytes is not None
    assert row.response_bytes.sum == 5000
    assert 0.2 <= row.latency.sum < 0.5
    assert row.key.outcome == "ok"


def test_request_bodies_are_counted(reporter: RecordingReporter, interface: str) -> None:
    with site(reporter, interface) as port:
        assert fetch(port, "/upload", "POST", b"x" * 5000)[2] == b"5000"
    sizes = only_row(reporter).request_bytes
    assert sizes is not None
    assert sizes.sum == 5000


@pytest.mark.parametrize(
    ("interface", "path"),
    [
        ("wsgi", "/broken-stream"),
        pytest.param("asgi", "/broken-stream-async", marks=async_streams),
    ],
)
def test_a_stream_that_breaks_half_way_is_an_aborted_stream(
    reporter: RecordingReporter, interface: str, path: str
) -> None:
    # A server of HTTP/1.0 just closes the connection, which looks like the end.
    with site(reporter, interface) as port, suppress(HTTPException):
        fetch(port, path)
    key = only_row(reporter).key
    assert (key.route, key.status, key.outcome, key.error_type) == (
        path, 200, "aborted_stream", "OSError",
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("interface", "path", "status"),
    [
        pytest.param("wsgi", "/endless-sync", 200, id="wsgi-stream"),
        pytest.param("asgi", "/endless", 200, id="asgi-stream", marks=listens),
        pytest.param("asgi", "/waiting", 499, id="asgi-before-the-answer", marks=listens),
    ],
)
def test_a_client_that_leaves_is_a_disconnect_and_no_error(
    reporter: RecordingReporter, interface: str, path: str, status: int
) -> None:
    with site(reporter, interface) as port:
        hang_up(port, path)
        wait_for_row(reporter)
    key = only_row(reporter).key
    assert (key.route, key.status, key.outcome) == (path, status, "client_disconnect")


def wait_for_row(reporter: RecordingReporter) -> None:
    deadline = time.monotonic() + 10
    while not reporter.requests:
        assert time.monotonic() < deadline
        assert wf_instrument.flush(5)


def test_a_file_is_still_sent_by_the_servers_file_wrapper(reporter: RecordingReporter) -> None:
    app = instrument_app(get_wsgi_application(), reporter=reporter)
    environ: dict[str, Any] = {"PATH_INFO": "/file", "wsgi.file_wrapper": FileWrapper}
    setup_testing_defaults(environ)
    body = app(environ, lambda *_: None)
    assert type(body) is FileWrapper
    size = sum(map(len, body))
    body.close()
    row = only_row(reporter)
    assert row.response_bytes is not None
    assert (row.key.route, row.response_bytes.sum) == ("/file", size)


@either_kind_of_stream
@pytest.mark.slow
def test_every_answer_is_the_one_without_us(
    reporter: RecordingReporter, interface: str, way: str
) -> None:
    paths = ["/", "/nothing", "/boom", "/gone", "/denied", "/redirect", "/file", "/stream",
             "/stream-async", "/shops/oslo/item/3"]  # fmt: skip

    def answers(port: int) -> list[object]:
        found: list[object] = []
        for path in paths:
            status, headers, body = fetch(port, path)
            headers.pop("date", None)
            found.append((path, status, headers, body))
        return found

    with served(interface, application(interface)) as port:
        bare = answers(port)
    with site(reporter, interface, way) as port:
        assert answers(port) == bare


# Spans ---------------------------------------------------------------------------------------


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
    assert urls == ["/forced/gone?a=1", "/forced/gone"]


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


# Ways of use ---------------------------------------------------------------------------------


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
    assert sum(spent) <= row.cpu.sum <= sum(spent) * 1.2


# Many at once --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/look", "/look-async"])
def test_a_request_in_flight_is_seen_under_its_route_and_gone_afterwards(
    reporter: RecordingReporter, interface: str, path: str
) -> None:
    entered, leave = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        leave.wait(10)

    django_site.look.append(wait)
    with site(reporter, interface) as port, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(fetch, port, path)
        assert entered.wait(10)
        wf_instrument.flush(5)
        (row,) = reporter.snapshot.in_flight
        assert (row.route, row.method, row.count) == (path, "GET", 1)
        assert dict(reporter.snapshot.total_in_flight) == {"django": 1}
        leave.set()
        answer.result(10)
    wf_instrument.flush(5)
    (row,) = reporter.snapshot.in_flight
    assert (row.route, row.count) == (path, 0)


@pytest.mark.slow
def test_a_hundred_requests_at_a_time_are_all_counted_and_have_their_own_spans(
    reporter: RecordingReporter, interface: str
) -> None:
    def own() -> object:
        request = current_request()
        return None if request is None else request.trace_id()

    django_site.look.append(own)
    names = ("django_site.BusySync",)
    paths = ["/look", "/look-async", "/boom-async", "/style/a/make"] * 25
    with site(reporter, interface, middleware=names) as port, ThreadPoolExecutor(20) as pool:
        bodies = [body for _, _, body in pool.map(lambda path: fetch(port, path), paths)]
    assert wf_instrument.flush(5)
    assert reporter.count() == 100
    assert reporter.count(route="/boom-async", status=500) == 25
    seen = {int(body) for path, body in zip(paths, bodies, strict=True) if "look" in path}
    assert seen <= {int(span.trace_id) for span in reporter.spans}
    assert len(seen) == 50
    assert dict(reporter.snapshot.total_in_flight) == {"django": 0}


def test_hundreds_of_unmatched_paths_make_one_series(
    reporter: RecordingReporter, interface: str
) -> None:
    with site(reporter, interface) as port, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: fetch(port, f"/scan/{number}"), range(200)))
    row = only_row(reporter)
    assert (row.key.route, row.count) == (None, 200)


@pytest.mark.parametrize(
    ("method", "recorded"), [("HEAD", "HEAD"), ("OPTIONS", "OPTIONS"), ("BREW", "_OTHER")]
)
def test_methods_are_those_we_know_or_other(
    reporter: RecordingReporter, interface: str, method: str, recorded: str
) -> None:
    with site(reporter, interface) as port:
        fetch(port, "/", method)
    assert only_row(reporter).key.method == recorded


@pytest.mark.expects_caught
def test_a_view_that_cannot_be_named_is_answered_all_the_same(
    reporter: RecordingReporter, interface: str
) -> None:
    with override_settings(ROOT_URLCONF="django_nameless"), site(reporter, interface) as port:
        assert fetch(port, "/")[2] == b"served"


# Django's test client ------------------------------------------------------------------------


@contextmanager
def by_middleware(reporter: RecordingReporter, **settings: object) -> Iterator[None]:
    options = {"reporter": reporter, **settings}
    with override_settings(MIDDLEWARE=[OURS], WF_INSTRUMENT=options):
        yield


@pytest.mark.parametrize("path", ["/shops/oslo/item/3", "/look-async"])
def test_requests_of_the_test_client_are_recorded_by_the_middleware(
    reporter: RecordingReporter, path: str
) -> None:
    django_site.look.append(lambda: current_request() is not None)
    with by_middleware(reporter):
        assert Client().get(path).content in {b"item", b"True"}
    row = only_row(reporter)
    assert row.key.route is not None
    assert (row.key.status, row.count) == (200, 1)
    (span,) = reporter.spans
    assert dict(span.tags)["http.url"] == f"http://testserver{path}"


def test_requests_of_the_asynchronous_test_client_are_recorded_too(
    reporter: RecordingReporter,
) -> None:
    with by_middleware(reporter):
        asyncio.run(AsyncClient().get("/busy-async"))
    assert only_row(reporter).key.route == "/busy-async"


def test_clients_share_one_telemetry(reporter: RecordingReporter) -> None:
    with by_middleware(reporter):
        for _ in range(3):
            Client().get("/")
    assert only_row(reporter).count == 3


def test_an_exception_that_the_test_client_raises_is_recorded(
    reporter: RecordingReporter,
) -> None:
    with by_middleware(reporter), pytest.raises(ValueError, match="no shirts"):
        Client().get("/boom")
    key = only_row(reporter).key
    assert (key.route, key.status, key.error_type) == ("/boom", 500, "ValueError")


@pytest.mark.slow
def test_a_stream_to_the_test_client_ends_with_its_last_part(reporter: RecordingReporter) -> None:
    with by_middleware(reporter):
        response = Client().get("/stream")
        assert wf_instrument.flush(5)
        assert not reporter.requests
        assert len(b"".join(response.streaming_content)) == 5000
    row = only_row(reporter)
    assert row.latency.sum >= 0.2
    assert row.response_bytes is not None
    assert row.response_bytes.sum == 5000


@async_streams
@pytest.mark.slow
def test_a_stream_to_the_asynchronous_test_client_too(reporter: RecordingReporter) -> None:
    async def read() -> int:
        response = await AsyncClient().get("/stream-async")
        return sum([len(part) async for part in response.streaming_content])

    with by_middleware(reporter):
        assert asyncio.run(read()) == 5000
    row = only_row(reporter)
    assert row.response_bytes is not None
    assert (row.response_bytes.sum, row.key.outcome) == (5000, "ok")
    assert row.latency.sum >= 0.2


def test_the_fixture_for_tests_of_applications_sees_the_clients_requests(
    wf_recorder: RecordingReporter,
) -> None:
    with override_settings(MIDDLEWARE=[OURS]):
        Client().get("/style/a/make")
    wf_recorder.assert_request(route="/style/<path:id>/make", status=200, count=1)


def test_a_middleware_made_by_hand_records(reporter: RecordingReporter) -> None:
    with by_middleware(reporter):
        serve = TelemetryMiddleware(django_site.home)
        assert serve(RequestFactory().get("/")).content == b"home"
    assert only_row(reporter).key.status == 200


def test_switched_off_the_middleware_is_not_used(reporter: RecordingReporter) -> None:
    with by_middleware(reporter, enabled=False), pytest.raises(MiddlewareNotUsed):
        TelemetryMiddleware(django_site.home)
