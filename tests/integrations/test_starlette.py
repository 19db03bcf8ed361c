"""What Starlette's requests are recorded as."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager, suppress
from http.client import IncompleteRead
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Host, Mount, Route, Router
from starlette.staticfiles import StaticFiles
from wf_instrument.integrations.starlette import instrument_app, uninstrument_app

import wf_instrument
from asgi_server import fetch, served_asgi
from recorded import burn, burnt, only_row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from wf_instrument.testing import RecordingReporter


async def home(request: Request) -> Response:
    return PlainTextResponse("home")


async def boom(request: Request) -> Response:
    raise ValueError("no shirts")


async def busy(request: Request) -> Response:
    burn(0.04)
    await asyncio.sleep(0.001)
    burn(0.04)
    return PlainTextResponse("busy")


def busy_sync(request: Request) -> Response:
    burn(0.08)
    return PlainTextResponse("busy")


async def later(request: Request) -> Response:
    return PlainTextResponse("soon", background=BackgroundTask(asyncio.sleep, 0.3))


async def stream(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 1000
            await asyncio.sleep(0.05)

    return StreamingResponse(parts())


async def broken_stream(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        raise OSError("disk gone")

    return StreamingResponse(parts())


async def hold(request: Request) -> Response:
    time.sleep(0.2)  # noqa: ASYNC251 - holding the loop is what it is for
    return PlainTextResponse("held")


async def slow(request: Request) -> Response:
    await asyncio.sleep(0.3)
    return PlainTextResponse("slow")


ROUTES = [
    Route("/", home),
    Route("/style/{id:path}/make", home),
    Route("/boom", boom),
    Route("/busy", busy),
    Route("/busy-sync", busy_sync),
    Route("/later", later),
    Route("/stream", stream),
    Route("/broken-stream", broken_stream),
    Route("/hold", hold),
    Route("/slow", slow),
    Mount("/{tenant}/api", routes=[Route("/user/{id:int}", home)]),
]


class OwnTask(BaseHTTPMiddleware):
    """Starlette's base class runs the rest of the application in a task of its own."""

    async def dispatch(self, request: Request, call_next: Any) -> Any:
        return await call_next(request)


@contextmanager
def site(
    reporter: RecordingReporter, app: Starlette | None = None, **settings: object
) -> Iterator[int]:
    app = app or Starlette(routes=ROUTES)
    with served_asgi(instrument_app(app, reporter=reporter, **settings)) as port:
        yield port


@pytest.mark.parametrize(
    ("path", "route", "func", "status"),
    [
        pytest.param("/", "/", "home", 200, id="root"),
        pytest.param("/style/a/b/make", "/style/{id:path}/make", "home", 200, id="template"),
        pytest.param("/north/api/user/3", "/{tenant}/api/user/{id:int}", "home", 200, id="mount"),
        pytest.param("/north/api/nothing", None, None, 404, id="no-route-in-mount"),
        pytest.param("/nothing", None, None, 404, id="no-route"),
        pytest.param("/boom", "/boom", "boom", 500, id="raises"),
    ],
)
def test_a_request_is_recorded_under_its_template_endpoint_and_status(
    reporter: RecordingReporter, path: str, route: str | None, func: str | None, status: int
) -> None:
    with site(reporter) as port:
        fetch(port, path)
    key = only_row(reporter).key
    assert (key.framework, key.route, key.func, key.status) == ("starlette", route, func, status)


def test_a_view_that_raises_is_named_with_its_exception(reporter: RecordingReporter) -> None:
    with site(reporter) as port:
        fetch(port, "/boom")
    key = only_row(reporter).key
    assert (key.outcome, key.error_type) == ("server_error", "ValueError")
    (span,) = reporter.spans
    assert span.is_error
    assert dict(span.logs[0].fields)["message"] == "no shirts"


def test_a_stream_that_breaks_off_behind_a_middleware_is_no_success(
    reporter: RecordingReporter,
) -> None:
    app = Starlette(routes=ROUTES, middleware=[Middleware(OwnTask)])
    # Older versions of the middleware let the connection break, newer ones end the answer.
    with site(reporter, app) as port, suppress(IncompleteRead):
        assert fetch(port, "/broken-stream")[2] == b"first"
    key = only_row(reporter).key
    assert (key.status, key.outcome) == (200, "aborted_stream")
    # Older versions raise the group of their task group.
    assert key.error_type in ("OSError", "ExceptionGroup")


def test_static_files_share_the_route_of_their_mount(
    reporter: RecordingReporter, tmp_path: Path
) -> None:
    (tmp_path / "a.css").write_text("a {}", encoding="utf-8")
    app = Starlette(routes=[Mount("/static", StaticFiles(directory=tmp_path))])
    with site(reporter, app) as port:
        assert fetch(port, "/static/a.css")[2] == b"a {}"
    key = only_row(reporter).key
    assert (key.route, key.func) == ("/static/{path:path}", "StaticFiles")


def test_a_host_route_leads_the_template(reporter: RecordingReporter) -> None:
    app = Starlette(routes=[Host("{shop}.example.org", Router([Route("/cart", home)]))])
    with site(reporter, app) as port:
        fetch(port, "/cart", Host="north.example.org")
    assert only_row(reporter).key.route == "{shop}.example.org/cart"


@pytest.mark.slow
@pytest.mark.parametrize("middleware", [[], [Middleware(OwnTask)]], ids=["direct", "own-task"])
@pytest.mark.parametrize("path", ["/busy", "/busy-sync"])
def test_cpu_time_is_that_of_the_view_wherever_it_runs(
    reporter: RecordingReporter, middleware: list[Middleware], path: str
) -> None:
    with site(reporter, Starlette(routes=ROUTES, middleware=middleware)) as port:
        fetch(port, path)
    cpu = only_row(reporter).cpu
    assert cpu is not None
    assert 0.08 <= sum(burnt) <= cpu.sum <= sum(burnt) + 0.03


@pytest.mark.slow
def test_a_background_task_is_in_a_series_of_its_own(reporter: RecordingReporter) -> None:
    with site(reporter) as port:
        fetch(port, "/later")
    row = only_row(reporter)
    assert row.background is not None
    assert row.background.sum >= 0.3
    # Of the two one is the wait of 0.3 s: a machine may stand still, but not in every part.
    assert row.latency.sum < row.background.sum


@pytest.mark.slow
def test_a_streamed_response_lasts_until_its_last_byte(reporter: RecordingReporter) -> None:
    with site(reporter) as port:
        fetch(port, "/stream")
    row = only_row(reporter)
    assert row.ttfb is not None
    assert row.response_bytes is not None
    assert row.response_bytes.sum == 5000
    assert row.latency.sum >= 0.2 > row.ttfb.sum


@pytest.mark.slow
def test_only_the_handler_that_holds_the_loop_is_named_by_it(reporter: RecordingReporter) -> None:
    with site(reporter) as port:
        fetch(port, "/")
        fetch(port, "/slow")
        fetch(port, "/hold")
    assert wf_instrument.flush(5)
    held = {row.key.route: row.blocked.sum for row in reporter.requests if row.blocked is not None}
    assert list(held) == ["/hold"]
    assert 0.2 <= held["/hold"] < 2


def test_instrumenting_twice_records_once_and_uninstrumenting_not_at_all(
    reporter: RecordingReporter,
) -> None:
    app = Starlette(routes=ROUTES)
    instrument_app(app, reporter=reporter)
    instrument_app(app, reporter=reporter)
    with served_asgi(app) as port:
        fetch(port, "/")
        uninstrument_app(app)
        fetch(port, "/")
    assert only_row(reporter).count == 1
