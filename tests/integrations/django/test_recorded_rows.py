"""What Django's requests are recorded as, under WSGI and ASGI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.wsgi import get_wsgi_application
from django.test import override_settings
from wf_instrument.integrations.django import instrument_app

from asgi_server import fetch

if TYPE_CHECKING:
    from wf_instrument.testing import RecordingReporter
from django_serving import either_kind_of_stream, site
from recorded import only_row


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
