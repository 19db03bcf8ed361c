"""Starlette's corners of the contract suite."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

import starlette
from starlette import responses
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import (
    FileResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Host, Mount, Route, Router
from starlette.staticfiles import StaticFiles
from wf_instrument.integrations.starlette import TelemetryMiddleware, instrument_app

from contract_site import Record

from . import bodies
from .asgi_layers import AnswerEarly, LimitTime, failing_lifespan

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["RECORDS", "VERSION", "OwnTask", "StarletteSite", "mounts", "to_conflict", "views"]


def _text(text: str, status: int = 200) -> Response:
    return PlainTextResponse(text, status)


async def home(request: Request) -> Response:
    return _text("home")


async def item(request: Request) -> Response:
    return _text(str(request.path_params["number"]))


async def style(request: Request) -> Response:
    return _text(repr(request.path_params["id"]))


async def redirect(request: Request) -> Response:
    return RedirectResponse("/", 302)


async def slash(request: Request) -> Response:
    return _text("slash")


async def no_content(request: Request) -> Response:
    return Response(status_code=204)


async def file(request: Request) -> Response:
    return FileResponse(bodies.STATIC / "style.css")


async def of_size(request: Request) -> Response:
    return _text("x" * int(request.path_params["size"]))


async def upload(request: Request) -> Response:
    return _text(str(len(await request.body())))


async def early(request: Request) -> Response:
    return _text("never")


def sync_view(request: Request) -> Response:
    return _text("sync")


async def boom(request: Request) -> Response:
    raise ValueError("no shirts")


async def handled(request: Request) -> Response:
    raise KeyError("handled")


async def to_conflict(request: Request, error: Exception) -> Response:
    return _text("conflict", 409)


async def teapot(request: Request) -> Response:
    raise HTTPException(418)


async def hangs(request: Request) -> Response:
    await asyncio.sleep(3600)
    return _text("never")


async def waits(request: Request) -> Response:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return _text("nobody")


async def background(request: Request) -> Response:
    return PlainTextResponse("soon", background=BackgroundTask(asyncio.sleep, 0.002))


async def later(request: Request) -> Response:
    return PlainTextResponse("soon", background=BackgroundTask(asyncio.sleep, 0.5))


async def stream(request: Request) -> Response:
    return StreamingResponse(bodies.lines(), media_type="text/plain")


async def known_length(request: Request) -> Response:
    return StreamingResponse(bodies.lines(), headers={"Content-Length": "35"})


async def empty_stream(request: Request) -> Response:
    return StreamingResponse(iter(()))


async def broken_stream(request: Request) -> Response:
    return StreamingResponse(bodies.broken())


async def slow_stream(request: Request) -> Response:
    return StreamingResponse(bodies.slow())


async def endless(request: Request) -> Response:
    return StreamingResponse(bodies.endless())


async def chunked(request: Request) -> Response:
    size = int(request.path_params["size"])
    return StreamingResponse(b"x" * (size // 5) for _ in range(5))


async def many(request: Request) -> Response:
    return _text("many")


def views() -> list[Route]:
    """Return the routes that Starlette and FastAPI spell alike."""
    return [
        Route("/", home),
        Route("/item/{number:int}", item),
        Route("/style/{id:path}/make", style),
        Route("/redirect", redirect),
        Route("/slash/", slash),
        Route("/no-content", no_content),
        Route("/file", file),
        Route("/sized/{size:int}", of_size),
        Route("/upload", upload, methods=["POST"]),
        Route("/early", early),
        Route("/sync", sync_view),
        Route("/boom", boom),
        Route("/handled", handled),
        Route("/teapot", teapot),
        Route("/hangs", hangs),
        Route("/waits", waits),
        Route("/background", background),
        Route("/later", later),
        Route("/stream", stream),
        Route("/known-length", known_length),
        Route("/empty-stream", empty_stream),
        Route("/broken-stream", broken_stream),
        Route("/slow-stream", slow_stream),
        Route("/endless", endless),
        Route("/chunked/{size:int}", chunked),
        *(Route(f"/many/{number}", many) for number in range(20)),
    ]


def mounts() -> list[Any]:
    """Return what leads to further routers."""
    return [
        Mount("/mounted/{tenant}", routes=[Route("/item/{number:int}", item)]),
        Mount("/shop", routes=[Mount("/cart", routes=[Route("/item/{number:int}", item)])]),
        Mount("/sub/{tenant}", Starlette(routes=[Route("/item/{number:int}", item)])),
        Mount("/static", StaticFiles(directory=bodies.STATIC)),
        Host("{shop}.example.org", Router([Route("/hosted", home)])),
    ]


_NOT_FOUND: Final = Record(status=404, outcome="client_error")
_ITEM: Final = Record(route="/item/{number:int}", func="item")
_STYLE: Final = Record(route="/style/{id:path}/make", func="style")
_STATIC_FILE: Final = Record(route="/static/{path:path}", func="StaticFiles")

RECORDS: Final[dict[str, Record]] = {
    "plain": Record(route="/", func="home"),
    "query": Record(route="/", func="home"),
    "template": _ITEM,
    "path template": _STYLE,
    "not found": _NOT_FOUND,
    "not found below a mount": _NOT_FOUND,
    "method not allowed": replace(_ITEM, method="DELETE", status=405, outcome="client_error"),
    "unknown method": replace(_ITEM, method="_OTHER", status=405, outcome="client_error"),
    "options": replace(_ITEM, method="OPTIONS", status=405, outcome="client_error"),
    "redirect": Record(route="/redirect", func="redirect", status=302),
    "slash redirect": Record(status=307),
    "no content": Record(route="/no-content", func="no_content", status=204),
    "head": Record(route="/", func="home", method="HEAD"),
    "head of a stream": Record(route="/stream", func="stream", method="HEAD"),
    "upload": Record(route="/upload", func="upload", method="POST", received=1000),
    "chunked upload": Record(route="/upload", func="upload", method="POST", received=1000),
    "upload nobody reads": replace(_ITEM, method="POST", status=405, outcome="client_error"),
    "raises": Record(
        route="/boom", func="boom", status=500, outcome="server_error", error="ValueError"
    ),
    "handled exception": Record(
        route="/handled", func="handled", status=409, outcome="client_error"
    ),
    "exception with a status": Record(
        route="/teapot", func="teapot", status=418, outcome="client_error"
    ),
    "early answer": Record(status=401, outcome="client_error"),
    "invalid input": _NOT_FOUND,
    "stream": Record(route="/stream", func="stream"),
    "stream of known length": Record(route="/known-length", func="known_length"),
    "empty stream": Record(route="/empty-stream", func="empty_stream"),
    "stream that raises": Record(
        route="/broken-stream", func="broken_stream", outcome="aborted_stream", error="OSError"
    ),
    "file": Record(route="/file", func="file"),
    "range of a file": Record(route="/file", func="file", status=206),
    "background task": Record(route="/background", func="background"),
    "mounted": Record(route="/mounted/{tenant}/item/{number:int}", func="item"),
    "sub-application": Record(route="/sub/{tenant}/item/{number:int}", func="item"),
    "nested": Record(route="/shop/cart/item/{number:int}", func="item"),
    "host": Record(route="{shop}.example.org/hosted", func="home"),
    "static file": _STATIC_FILE,
    "static file that is fresh": replace(_STATIC_FILE, status=304),
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
    "new line in the path": _NOT_FOUND,
    "dots in the path": _NOT_FOUND,
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


VERSION: Final = tuple(map(int, starlette.__version__.split(".")[:2]))
if VERSION < (0, 39):
    RECORDS.pop("range of a file")
if not hasattr(responses, "create_collapsing_task_group"):
    # They raise the group of their task group.
    RECORDS["stream that raises"] = replace(RECORDS["stream that raises"], error="ExceptionGroup")


class OwnTask(BaseHTTPMiddleware):
    """Starlette's base class runs the rest of the application in a task of its own."""

    async def dispatch(self, request: Request, call_next: Any) -> Any:
        return await call_next(request)


class StarletteSite:
    """See `contract_site.Site`.

    Args:
        name: Of the test cases.
        middleware: More layers around the router.
        records: What differs because of them.
    """

    framework = "starlette"
    interface: Literal["asgi"] = "asgi"

    def __init__(
        self, name: str = "starlette", middleware: tuple[Middleware, ...] = (), **records: Record
    ) -> None:
        self.name = name
        self.records = {**RECORDS, **records}
        self._middleware = middleware

    def make_app(self, *, fails_to_start: bool = False) -> Any:
        """Return a new application."""
        return Starlette(
            routes=[*views(), *mounts()],
            exception_handlers={KeyError: to_conflict},
            lifespan=failing_lifespan if fails_to_start else None,
            middleware=[*self._middleware, Middleware(AnswerEarly), Middleware(LimitTime)],
        )

    def instrument(self, app: Any, **settings: object) -> Any:
        """Instrument it the usual way."""
        return instrument_app(app, **settings)

    def wrap(self, app: Any, **settings: object) -> Any:
        """Add the middleware to its stack."""
        app.add_middleware(TelemetryMiddleware, **settings)
        return app
