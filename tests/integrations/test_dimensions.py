"""`set_dimension` in each framework: in views, worker threads, child tasks and streams."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import flask
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from wf_instrument.integrations.flask import FlaskTracing, instrument_app
from wf_instrument.integrations.starlette import instrument_app as instrument_starlette
from wf_instrument.integrations.wsgi import instrument_app as instrument_wsgi

import wf_instrument
from asgi_server import fetch, served_asgi
from flask_site import served
from view_sites import FRAMEWORKS, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from wf_instrument.testing import RecordingReporter

TENANT = (("tenant", "north"),)


def tenant() -> str:
    wf_instrument.set_dimension("tenant", "north")
    return "ok"


def dimensions_of(reporter: RecordingReporter) -> list[tuple[tuple[str, str], ...]]:
    assert wf_instrument.flush(5)
    return [row.key.dimensions for row in reporter.requests]


@pytest.mark.parametrize("spans", [True, False], ids=["spans", "no-spans"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_dimension_set_in_a_view_is_on_the_requests_metrics(
    reporter: RecordingReporter, framework: str, spans: bool
) -> None:
    with serving(framework, {"/cart": tenant}, reporter=reporter, spans=spans) as port:
        assert fetch(port, "/cart")[0] == 200
    assert dimensions_of(reporter) == [TENANT]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_dimension_is_a_tag_of_the_span_and_takes_no_tag_of_ours(
    reporter: RecordingReporter, framework: str
) -> None:
    def cart() -> str:
        wf_instrument.set_dimension("http.method", "mine")
        return tenant()

    with serving(framework, {"/cart": cart}, reporter=reporter) as port:
        fetch(port, "/cart")
    assert wf_instrument.flush(5)
    tags = reporter.assert_span("cart").tags
    assert ("tenant", "north") in tags
    assert [value for key, value in tags if key == "http.method"] == ["GET"]


def test_a_dimension_is_on_metrics_of_a_request_that_fails(reporter: RecordingReporter) -> None:
    def broken() -> str:
        tenant()
        raise ValueError("no shirts")

    with serving("flask", {"/broken": broken}, reporter=reporter) as port:
        fetch(port, "/broken")
    assert dimensions_of(reporter) == [TENANT]
    assert reporter.requests[0].key.error_type == "ValueError"


def test_inside_an_own_span_of_a_request_without_one_the_request_is_found(
    reporter: RecordingReporter,
) -> None:
    def cart() -> str:
        with wf_instrument.span("count"):
            return tenant()

    with serving("flask", {"/cart": cart}, reporter=reporter, spans=False) as port:
        fetch(port, "/cart")
    assert dimensions_of(reporter) == [TENANT]


@pytest.mark.parametrize("spans", [True, False], ids=["spans", "no-spans"])
def test_a_streamed_wsgi_body_may_still_set_dimensions(
    reporter: RecordingReporter, spans: bool
) -> None:
    app = flask.Flask("stream")

    @app.route("/stream")
    def stream() -> flask.Response:
        return flask.Response(tenant() for _ in range(3))

    instrument_app(app, reporter=reporter, spans=spans)
    with served(app) as port:
        assert fetch(port, "/stream")[2] == b"okokok"
    assert dimensions_of(reporter) == [TENANT]


@pytest.mark.parametrize("spans", [True, False], ids=["spans", "no-spans"])
def test_after_a_request_served_within_a_request_the_outer_one_is_current(
    reporter: RecordingReporter, spans: bool
) -> None:
    inner = flask.Flask("inner")
    inner.add_url_rule("/inner", view_func=lambda: "ok", endpoint="inner")
    instrument_app(inner, reporter=reporter, spans=spans)

    def cart() -> str:
        with inner.test_client() as client:
            assert client.get("/inner", buffered=True).text == "ok"
        return tenant()

    with serving("flask", {"/cart": cart}, reporter=reporter, spans=spans) as port:
        fetch(port, "/cart")
    assert wf_instrument.flush(5)
    assert {row.key.route: row.key.dimensions for row in reporter.requests} == {
        "/inner": (),
        "/cart": TENANT,
    }


def test_an_exception_of_a_request_without_span_is_not_kept_alive(
    reporter: RecordingReporter,
) -> None:
    class BoomError(Exception):
        pass

    boom: list[weakref.ref[BoomError]] = []

    def app(environ: Any, start_response: Any) -> Any:
        error = BoomError()
        boom.append(weakref.ref(error))
        raise error

    served_app = instrument_wsgi(app, reporter=reporter, spans=False)
    with suppress(BoomError):
        served_app({"REQUEST_METHOD": "GET"}, lambda *_: None)
    gc.collect()
    assert boom[0]() is None


@pytest.mark.parametrize("spans", [True, False], ids=["spans", "no-spans"])
def test_a_decorated_view_without_a_driver_may_set_dimensions(
    monkeypatch: pytest.MonkeyPatch, reporter: RecordingReporter, spans: bool
) -> None:
    monkeypatch.setenv("WF_SPANS", str(spans))
    tracing = FlaskTracing(reporter=reporter)
    app = flask.Flask("decorated")
    app.add_url_rule("/cart", view_func=tracing.trace()(tenant))
    with served(app) as port:
        fetch(port, "/cart")
    assert dimensions_of(reporter) == [TENANT]


@pytest.mark.parametrize("spans", [True, False], ids=["spans", "no-spans"])
def test_child_tasks_and_streams_of_asgi_set_dimensions_and_background_tasks_do_not(
    reporter: RecordingReporter, spans: bool
) -> None:
    async def child() -> None:
        wf_instrument.set_dimension("task", "child")

    async def late() -> None:
        wf_instrument.set_dimension("late", "yes")

    async def parts() -> AsyncIterator[str]:
        yield "a"
        tenant()
        yield "b"

    async def cart(request: Request) -> Response:
        await asyncio.gather(child(), child())
        return StreamingResponse(parts(), background=BackgroundTask(late))

    app = instrument_starlette(Starlette(routes=[Route("/", cart)]), reporter=reporter, spans=spans)
    with served_asgi(app) as port:
        fetch(port, "/")
    (found,) = dimensions_of(reporter)
    assert found == (("task", "child"), *TENANT)


def test_requests_served_at_the_same_time_keep_their_dimensions_apart(
    reporter: RecordingReporter,
) -> None:
    barrier = asyncio.Barrier(2) if hasattr(asyncio, "Barrier") else None

    async def cart(request: Request) -> Response:
        wf_instrument.set_dimension("tenant", request.path_params["tenant"])
        if barrier is not None:
            async with asyncio.timeout(5):
                await barrier.wait()
        return PlainTextResponse("ok")

    app = instrument_starlette(Starlette(routes=[Route("/{tenant}", cart)]), reporter=reporter)
    with served_asgi(app) as port:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda name: fetch(port, f"/{name}"), ["a", "b"]))
    assert sorted(dimensions_of(reporter)) == [(("tenant", "a"),), (("tenant", "b"),)]
