"""Litestar's corners of the contract suite."""

from __future__ import annotations

import asyncio
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from litestar import Litestar, Request, Response, Router, asgi, get, post, route
from litestar.background_tasks import BackgroundTask
from litestar.exceptions import HTTPException
from litestar.response import File, Redirect, Stream
from litestar.static_files import create_static_files_router
from wf_instrument.integrations.asgi import TelemetryMiddleware
from wf_instrument.integrations.litestar import instrument_app

from contract_site import Record

from . import bodies
from .asgi_layers import AnswerEarly, LimitTime, failing_lifespan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["LitestarSite"]


@route("/", http_method=["GET", "HEAD"])
async def home() -> str:
    return "home"


@get("/item/{number:int}")
async def item(number: int) -> str:
    return str(number)


# A parameter of several segments is the last of a path.
@get("/style/{id:path}")
async def style(id: str) -> str:  # noqa: A002 - as in the other sites
    return ascii(id)


@get("/redirect", status_code=302)
async def redirect() -> Redirect:
    return Redirect("/")


@get("/no-content", status_code=204)
async def no_content() -> None:
    """Answer nothing."""


@get("/file")
async def file() -> File:
    return File(bodies.STATIC / "style.css")


@get("/sized/{size:int}")
async def of_size(size: int) -> str:
    return "x" * size


@post("/upload", status_code=200)
async def upload(request: Request[Any, Any, Any]) -> str:
    return str(len(await request.body()))


@get("/early")
async def early() -> str:
    return "never"


@get("/sync", sync_to_thread=True)
def sync_view() -> str:
    return "sync"


@get("/boom")
async def boom() -> str:
    raise ValueError("no shirts")


@get("/handled")
async def handled() -> str:
    raise KeyError("handled")


def to_conflict(request: object, error: KeyError) -> Response[str]:
    return Response("conflict", status_code=409)


@get("/teapot")
async def teapot() -> str:
    raise HTTPException(status_code=418)


@get("/hangs")
async def hangs() -> str:
    await asyncio.sleep(3600)
    return "never"


@get("/waits")
async def waits(request: Request[Any, Any, Any]) -> str:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return "nobody"


@get("/background")
async def background() -> Response[str]:
    return Response("soon", background=BackgroundTask(asyncio.sleep, 0.002))


@get("/later")
async def later() -> Response[str]:
    return Response("soon", background=BackgroundTask(asyncio.sleep, 0.5))


@route("/stream", http_method=["GET", "HEAD"])
async def stream() -> Stream:
    return Stream(bodies.lines())


@get("/known-length")
async def known_length() -> Stream:
    return Stream(bodies.lines(), headers={"content-length": "35"})


@get("/empty-stream")
async def empty_stream() -> Stream:
    return Stream(iter(()))


@get("/broken-stream")
async def broken_stream() -> Stream:
    return Stream(bodies.broken())


@get("/slow-stream")
async def slow_stream() -> Stream:
    return Stream(bodies.slow())


@get("/endless")
async def endless() -> Stream:
    return Stream(bodies.endless())


@get("/chunked/{size:int}")
async def chunked(size: int) -> Stream:
    return Stream(b"x" * (size // 5) for _ in range(5))


@get([f"/many/{number}" for number in range(20)])
async def many() -> str:
    return "many"


@get("/{tenant:str}/item/{number:int}")
async def sub_item(tenant: str, number: int) -> str:
    return f"{tenant} {number}"


_VIEWS: Final = (
    home, item, style, redirect, no_content, file, of_size, upload, early, sync_view, boom, handled,
    teapot, hangs, waits, background, later, stream, known_length, empty_stream, broken_stream,
    slow_stream, endless, chunked, many,
)  # fmt: skip


def _routers() -> Iterator[Any]:
    yield Router("/mounted/{tenant:str}", route_handlers=[item])
    yield Router("/shop", route_handlers=[Router("/cart", route_handlers=[item])])
    yield create_static_files_router("/static", directories=[bodies.STATIC])
    yield asgi("/sub", is_mount=True)(Litestar([sub_item], logging_config=None))


_NOT_FOUND: Final = Record(status=404, outcome="client_error")
_NOT_ALLOWED: Final = Record(status=405, outcome="client_error")
_ITEM: Final = Record(route="/item/{number:int}", func="item")
_STYLE: Final = Record(route="/style/{id:path}", func="style")
_STATIC_FILE: Final = Record(route="/static/{file_path:path}", func="get_handler")


class LitestarSite:
    """See `contract_site.Site`."""

    name = framework = "litestar"
    interface: Literal["asgi"] = "asgi"
    records: Final[Mapping[str, Record]] = {
        "plain": Record(route="/", func="home"),
        "query": Record(route="/", func="home"),
        "template": _ITEM,
        "path template": _STYLE,
        "not found": _NOT_FOUND,
        "not found below a mount": _NOT_FOUND,
        "method not allowed": replace(_NOT_ALLOWED, method="DELETE"),
        "unknown method": replace(_NOT_ALLOWED, method="_OTHER"),
        # By a handler that Litestar adds.
        "options": replace(_ITEM, func="options_handler", method="OPTIONS", status=204),
        "redirect": Record(route="/redirect", func="redirect", status=302),
        "no content": Record(route="/no-content", func="no_content", status=204),
        "head": Record(route="/", func="home", method="HEAD"),
        "head of a stream": Record(route="/stream", func="stream", method="HEAD"),
        "upload": Record(route="/upload", func="upload", method="POST", received=1000),
        "chunked upload": Record(route="/upload", func="upload", method="POST", received=1000),
        "upload nobody reads": replace(_NOT_ALLOWED, method="POST"),
        "raises": Record(
            route="/boom", func="boom", status=500, outcome="server_error", error="ValueError"
        ),
        "handled exception": Record(
            route="/handled", func="handled", status=409, outcome="client_error"
        ),
        "exception with a status": Record(
            route="/teapot", func="teapot", status=418, outcome="client_error"
        ),
        # Its middlewares come after the routing.
        "early answer": Record(route="/early", func="early", status=401, outcome="client_error"),
        "invalid input": _NOT_FOUND,
        "stream": Record(route="/stream", func="stream"),
        "stream of known length": Record(route="/known-length", func="known_length"),
        "empty stream": Record(route="/empty-stream", func="empty_stream"),
        # Litestar raises one of its own from what the stream raised.
        "stream that raises": Record(
            route="/broken-stream",
            func="broken_stream",
            outcome="aborted_stream",
            error="LitestarException",
        ),
        "file": Record(route="/file", func="file"),
        "background task": Record(route="/background", func="background"),
        "mounted": Record(route="/mounted/{tenant:str}/item/{number:int}", func="item"),
        "sub-application": Record(route="/sub/{tenant:str}/item/{number:int}", func="sub_item"),
        "nested": Record(route="/shop/cart/item/{number:int}", func="item"),
        "static file": _STATIC_FILE,
        "static file that is missing": replace(_STATIC_FILE, status=404, outcome="client_error"),
        "sync view": Record(route="/sync", func="sync_view"),
        "timeout in a middleware": Record(
            route="/hangs", func="hangs", status=504, outcome="timeout", error="TimeoutError"
        ),
        "long path": _NOT_FOUND,
        "encoded path": _STYLE,
        "non-ASCII path": _STYLE,
        "path that is not UTF-8": _STYLE,
        "control characters in the path": _STYLE,
        "new line in the path": _STYLE,
        "dots in the path": _STYLE,
        "forged trace headers": _ITEM,
        "10 kB header": _ITEM,
        "duplicate headers": _ITEM,
        # With tests of their own:
        "left in the stream": Record(route="/endless", func="endless", outcome="client_disconnect"),
        "left before the answer": Record(route="/waits", func="waits", outcome="client_disconnect"),
        "task cancelled": Record(
            route="/waits", func="waits", status=499, outcome="cancelled", error="CancelledError"
        ),
        "slow stream": Record(route="/slow-stream", func="slow_stream"),
        "slow background task": Record(route="/later", func="later"),
        "sizes": Record(route="/sized/{size:int}", func="of_size"),
        "start-up fails": Record(),
        "many routes": Record(route="/many/0", func="many"),
    }

    def make_app(self, *, fails_to_start: bool = False) -> Any:
        """Return a new application."""
        with warnings.catch_warnings():
            # What it asks for in their place is not known to all versions that are supported.
            warnings.simplefilter("ignore", DeprecationWarning)
            return Litestar(
                [*_VIEWS, *_routers()],
                middleware=[AnswerEarly, LimitTime],
                exception_handlers={KeyError: to_conflict},
                lifespan=[failing_lifespan] if fails_to_start else None,
                logging_config=None,
                openapi_config=None,
            )

    def instrument(self, app: Any, **settings: object) -> Any:
        """Instrument it the usual way."""
        return instrument_app(app, **settings)

    def wrap(self, app: Any, **settings: object) -> Any:
        """Have a middleware outside of Litestar's own instrumentation."""
        app.asgi_handler = TelemetryMiddleware(app.asgi_handler, **settings)
        return app
