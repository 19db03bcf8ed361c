"""What Litestar's requests are recorded as."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("litestar", reason="Litestar is an extra of its own")

from litestar import Controller, Litestar, Response, Router, asgi, get, post
from litestar.background_tasks import BackgroundTask
from litestar.di import Provide
from litestar.exceptions import ServiceUnavailableException
from litestar.response import Stream
from litestar.static_files import create_static_files_router

# Litestar looks these up when the handlers are registered.
from litestar.types import Receive, Scope, Send  # noqa: TC002
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from wf_instrument.integrations.litestar import instrument_app, uninstrument_app
from wf_instrument.integrations.starlette import instrument_app as instrument_starlette

import wf_instrument
from asgi_server import fetch, served_asgi
from recorded import burn, burnt, only_row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from wf_instrument.testing import RecordingReporter


# The other spelling of parameters is not known to versions that are supported.
pytestmark = pytest.mark.filterwarnings("ignore:.*[Ii]nferred")


@get("/")
async def home() -> str:
    return "home"


@get("/style/{style:path}")
async def style_of(style: str) -> str:
    return style


@get(["/shirts", "/shirts/{shirt:int}"])
async def shirts(shirt: int = 0) -> str:
    return str(shirt)


@get("/boom")
async def boom() -> str:
    raise ValueError("no shirts")


@get("/closed")
async def closed() -> str:
    raise ServiceUnavailableException("closed on sundays")


@get("/handled")
async def handled() -> str:
    raise KeyError("shirt")


def on_key_error(request: object, error: KeyError) -> Response[str]:
    return Response("no such shirt", status_code=409)


@get("/hook", before_request=lambda request: Response("early"))
async def hook() -> str:
    raise AssertionError("the hook answered")


class Carts(Controller):
    path = "/carts"

    @post("/{cart:int}/order", sync_to_thread=False)
    def order(self, cart: int) -> str:
        return str(cart)


@get("/busy")
async def busy() -> str:
    burn(0.04)
    await asyncio.sleep(0.001)
    burn(0.04)
    return "busy"


@get("/busy-sync", sync_to_thread=True)
def busy_sync() -> str:
    burn(0.08)
    return "busy"


@get("/busy-stream")
async def busy_stream() -> Stream:
    async def parts() -> AsyncIterator[str]:
        for _ in range(2):
            burn(0.04)
            await asyncio.sleep(0.001)
            yield "part"

    return Stream(parts())


@get("/busy-sync-stream")
async def busy_sync_stream() -> Stream:
    def parts() -> Iterator[str]:
        for _ in range(2):
            burn(0.04)
            yield "part"

    return Stream(parts())


async def needed() -> str:
    burn(0.04)
    return "needed"


async def needed_too() -> str:
    burn(0.04)
    return "too"


@get("/busy-needs", dependencies={"one": Provide(needed), "two": Provide(needed_too)})
async def busy_needs(one: str, two: str) -> str:
    return one + two


@get("/later")
async def later() -> Response[str]:
    return Response("soon", background=BackgroundTask(asyncio.sleep, 0.3))


@get("/stream")
async def stream() -> Stream:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 1000
            await asyncio.sleep(0.05)

    return Stream(parts())


@get("/hold")
async def hold() -> str:
    time.sleep(0.2)  # noqa: ASYNC251 - holding the loop is what it is for
    return "held"


@get("/slow")
async def slow() -> str:
    await asyncio.sleep(0.3)
    return "slow"


def passing(app: Any) -> Any:
    async def passed(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return passed


HANDLERS: list[Any] = [
    home, style_of, boom, closed, handled, hook, busy, busy_sync, busy_stream, busy_sync_stream,
    busy_needs, later, stream, hold, slow,
    Router("/{tenant:str}/api", route_handlers=[shirts, Carts]),
]  # fmt: skip


def made_app(*handlers: Any, **options: Any) -> Litestar:
    return Litestar(
        [*(handlers or HANDLERS)],
        exception_handlers={KeyError: on_key_error},
        logging_config=None,
        **options,
    )


@contextmanager
def site(reporter: RecordingReporter, app: Litestar | None = None) -> Iterator[int]:
    with served_asgi(instrument_app(app or made_app(), reporter=reporter)) as port:
        yield port


@pytest.mark.parametrize(
    ("method", "path", "route", "func", "status"),
    [
        ("GET", "/", "/", "home", 200),
        ("GET", "/style/a/b", "/style/{style:path}", "style_of", 200),
        ("GET", "/north/api/shirts", "/{tenant:str}/api/shirts", "shirts", 200),
        ("GET", "/north/api/shirts/3", "/{tenant:str}/api/shirts/{shirt:int}", "shirts", 200),
        ("POST", "/a/api/carts/3/order", "/{tenant:str}/api/carts/{cart:int}/order", "order", 201),
        ("GET", "/hook", "/hook", "hook", 200),
        ("GET", "/handled", "/handled", "handled", 409),
        ("GET", "/boom", "/boom", "boom", 500),
        ("GET", "/north/api/shirts/none", None, None, 404),
        ("GET", "/nothing", None, None, 404),
        ("DELETE", "/boom", None, None, 405),
    ],
    ids=[
        "root", "template", "router", "router-template", "controller", "hook", "error-handler",
        "raises", "no-such-parameter", "no-route", "405",
    ],
)  # fmt: skip
def test_a_request_is_recorded_under_its_template_handler_and_status(
    reporter: RecordingReporter,
    method: str,
    path: str,
    route: str | None,
    func: str | None,
    status: int,
) -> None:
    with site(reporter) as port:
        assert fetch(port, path, method)[0] == status
    key = only_row(reporter).key
    assert (key.framework, key.method, key.route, key.func, key.status) == (
        "litestar", method, route, func, status,
    )  # fmt: skip


@pytest.mark.parametrize("middleware", [[], [passing]], ids=["direct", "middleware"])
@pytest.mark.parametrize(
    ("path", "status", "name", "message"),
    [
        ("/boom", 500, "ValueError", "no shirts"),
        ("/closed", 503, "ServiceUnavailableException", "503: closed on sundays"),
    ],
)
def test_an_error_page_is_named_with_its_exception(
    reporter: RecordingReporter,
    middleware: list[Any],
    path: str,
    status: int,
    name: str,
    message: str,
) -> None:
    with site(reporter, made_app(middleware=middleware)) as port:
        fetch(port, path)
    key = only_row(reporter).key
    assert (key.status, key.outcome, key.error_type) == (status, "server_error", name)
    (span,) = reporter.spans
    assert dict(span.logs[0].fields)["message"] == message


def test_static_files_share_the_route_of_their_router(
    reporter: RecordingReporter, tmp_path: Path
) -> None:
    (tmp_path / "a.css").write_text("a {}", encoding="utf-8")
    files = create_static_files_router("/static", directories=[tmp_path])
    with site(reporter, made_app(files)) as port:
        assert fetch(port, "/static/a.css")[2] == b"a {}"
    assert only_row(reporter).key.route == "/static/{file_path:path}"


@asgi(["/files", "/old/files"], is_mount=True, copy_scope=True)
async def files(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("file")(scope, receive, send)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/api/files/a/b", "/api/old/files/a", "/api/files"])
def test_a_mounted_application_answers_for_all_below_it(
    reporter: RecordingReporter, path: str
) -> None:
    with site(reporter, made_app(Router("/api", route_handlers=[files]))) as port:
        assert fetch(port, path)[2] == b"file"
    key = only_row(reporter).key
    mount = "/api/old/files" if "old" in path else "/api/files"
    assert (key.route, key.func) == (f"{mount}/{{path:path}}", "files")


def mounting(inner: Any, *, copy_scope: bool = True) -> Litestar:
    @asgi("/shop", is_mount=True, copy_scope=copy_scope)
    async def shop(scope: Scope, receive: Receive, send: Send) -> None:
        await inner(scope, receive, send)

    return made_app(Router("/api", route_handlers=[shop]))


async def one_shirt(request: Any) -> PlainTextResponse:
    return PlainTextResponse("3")


def test_an_instrumented_application_below_a_mount_is_recorded_once_with_it(
    reporter: RecordingReporter,
) -> None:
    inner = Starlette(routes=[Mount("/{tenant}", routes=[Route("/shirts/{id:int}/", one_shirt)])])
    with site(reporter, mounting(instrument_starlette(inner, reporter=reporter))) as port:
        assert fetch(port, "/api/shop/north/shirts/3/")[2] == b"3"
    row = only_row(reporter)
    assert row.count == 1
    assert (row.key.framework, row.key.route) == (
        "starlette", "/api/shop/{tenant}/shirts/{id:int}/",
    )  # fmt: skip


@pytest.mark.parametrize("is_instrumented", [True, False], ids=["instrumented", "plain"])
def test_litestar_below_litestar_has_the_templates_of_both(
    reporter: RecordingReporter, is_instrumented: bool
) -> None:
    inner = made_app(shirts)
    if is_instrumented:
        instrument_app(inner, reporter=reporter)
    with site(reporter, mounting(inner, copy_scope=False)) as port:
        assert fetch(port, "/api/shop/shirts/3")[2] == b"3"
    row = only_row(reporter)
    assert (row.count, row.key.route) == (1, "/api/shop/shirts/{shirt:int}")


def test_litestar_below_starlette_has_the_templates_of_both(reporter: RecordingReporter) -> None:
    inner = instrument_app(made_app(shirts), reporter=reporter)
    outer = Starlette(routes=[Mount("/{tenant}/shop", inner)])
    with served_asgi(instrument_starlette(outer, reporter=reporter)) as port:
        assert fetch(port, "/north/shop/shirts/3")[2] == b"3"
    row = only_row(reporter)
    assert row.count == 1
    assert (row.key.framework, row.key.route) == (
        "litestar", "/{tenant}/shop/shirts/{shirt:int}",
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["/busy", "/busy-sync", "/busy-stream", "/busy-sync-stream", "/busy-needs"]
)
def test_cpu_time_is_that_of_the_handler_wherever_it_runs(
    reporter: RecordingReporter, path: str
) -> None:
    with site(reporter) as port:
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


def test_a_lifespan_delivers_what_was_recorded(reporter: RecordingReporter) -> None:
    with site(reporter) as port:
        fetch(port, "/")
    (row,) = reporter.requests
    assert row.count == 1


def test_instrumenting_twice_records_once_and_uninstrumenting_not_at_all(
    reporter: RecordingReporter,
) -> None:
    app = made_app()
    instrument_app(app, reporter=reporter)
    instrument_app(app, reporter=reporter)
    with served_asgi(app) as port:
        fetch(port, "/")
        uninstrument_app(app)
        uninstrument_app(app)
        fetch(port, "/")
    assert only_row(reporter).count == 1
    assert (app.on_startup, app.on_shutdown) == ([], [])


def test_uninstrumenting_an_application_wrapped_further_records_no_more(
    reporter: RecordingReporter,
) -> None:
    app = instrument_app(made_app(), reporter=reporter)
    within: Any = app.asgi_handler

    async def further(*connection: Any) -> None:
        await within(*connection)

    app.asgi_handler = further  # type: ignore[assignment]
    with served_asgi(app) as port:
        fetch(port, "/")
        uninstrument_app(app)
        assert fetch(port, "/")[0] == 200
    assert only_row(reporter).count == 1


def test_the_application_is_recognised_by_its_class(reporter: RecordingReporter) -> None:
    app = wf_instrument.instrument(made_app(), reporter=reporter).app
    with served_asgi(app) as port:
        fetch(port, "/")
    assert only_row(reporter).key.framework == "litestar"
