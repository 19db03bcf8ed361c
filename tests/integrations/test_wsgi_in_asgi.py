"""An instrumented Flask application mounted in an instrumented ASGI one: one record a request."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import flask
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from wf_instrument.integrations.asgi import TelemetryMiddleware
from wf_instrument.integrations.flask import instrument_app as instrument_flask
from wf_instrument.integrations.starlette import instrument_app as instrument_starlette

import wf_instrument
from asgi_server import fetch, served_asgi
from recorded import burn, burnt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from wf_instrument.reporting.snapshot import RequestInterval
    from wf_instrument.testing import RecordingReporter


@pytest.fixture(params=["starlette", "a2wsgi"])
def adapter(request: pytest.FixtureRequest) -> Any:
    """Return a class that makes an ASGI application of a WSGI one."""
    if request.param == "a2wsgi":
        return pytest.importorskip("a2wsgi", reason="an extra of the tests").WSGIMiddleware
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that a2wsgi is to be preferred
        from starlette.middleware.wsgi import WSGIMiddleware
    return WSGIMiddleware


def made_shop() -> flask.Flask:
    shop = flask.Flask("shop")

    @shop.route("/shirts/<int:shirt>")
    def one(shirt: int) -> str:
        return str(shirt)

    @shop.route("/größe")
    def size() -> str:
        return "L"

    @shop.route("/boom")
    def boom() -> str:
        raise ValueError("no shirts")

    @shop.route("/busy")
    def busy() -> str:
        burn(0.08)
        return "busy"

    @shop.route("/busy-parts")
    def busy_parts() -> Any:
        def parts() -> Iterator[str]:
            for _ in range(2):
                burn(0.04)
                yield "part"

        return flask.Response(parts())

    return shop


@contextmanager
def site(reporter: RecordingReporter, adapter: Any) -> Iterator[int]:
    shop = instrument_flask(made_shop(), reporter=reporter)
    app = Starlette(routes=[Mount("/{tenant}/shop", adapter(shop))])
    with served_asgi(instrument_starlette(app, reporter=reporter)) as port:
        yield port


def only_row(reporter: RecordingReporter) -> RequestInterval:
    assert wf_instrument.flush(5)
    (row,) = reporter.requests
    assert row.count == 1
    assert len(reporter.spans) == 1
    return row


@pytest.mark.parametrize(
    ("path", "route", "func", "status", "error"),
    [
        ("/shirts/3", "/{tenant}/shop/shirts/<int:shirt>", "one", 200, None),
        ("/gr%C3%B6%C3%9Fe", "/{tenant}/shop/größe", "size", 200, None),
        ("/boom", "/{tenant}/shop/boom", "boom", 500, "ValueError"),
        ("/nothing", None, None, 404, None),
    ],
    ids=["template", "not-ascii", "raises", "no-route"],
)
def test_a_request_is_recorded_once_and_named_by_flask(
    reporter: RecordingReporter,
    adapter: Any,
    path: str,
    route: str | None,
    func: str | None,
    status: int,
    error: str | None,
) -> None:
    with site(reporter, adapter) as port:
        assert fetch(port, f"/north/shop{path}")[0] == status
    key = only_row(reporter).key
    assert (key.framework, key.route, key.func, key.status, key.error_type) == (
        "flask", route, func, status, error,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/busy", "/busy-parts"])
@pytest.mark.parametrize("is_bare", [False, True], ids=["in-starlette", "in-asgi-middleware"])
def test_cpu_time_of_the_thread_is_the_requests(
    reporter: RecordingReporter, adapter: Any, path: str, is_bare: bool
) -> None:
    if is_bare:
        shop = instrument_flask(made_shop(), reporter=reporter)
        app = TelemetryMiddleware(adapter(shop), reporter=reporter)
        with served_asgi(app) as port:
            fetch(port, path)
    else:
        with site(reporter, adapter) as port:
            fetch(port, f"/north/shop{path}")
    cpu = only_row(reporter).cpu
    assert cpu is not None
    assert 0.08 <= sum(burnt) <= cpu.sum <= sum(burnt) + 0.04


def test_a_wsgi_application_that_a_view_calls_is_a_request_of_its_own(
    reporter: RecordingReporter,
) -> None:
    shop = instrument_flask(made_shop(), reporter=reporter)

    async def ask(request: Request) -> PlainTextResponse:
        return PlainTextResponse(shop.test_client().get("/shirts/3").text)

    app = instrument_starlette(Starlette(routes=[Route("/ask", ask)]), reporter=reporter)
    with served_asgi(app) as port:
        assert fetch(port, "/ask")[2] == b"3"
    assert wf_instrument.flush(5)
    routes = {(row.key.framework, row.key.route, row.count) for row in reporter.requests}
    assert routes == {("starlette", "/ask", 1), ("flask", "/shirts/<int:shirt>", 1)}
