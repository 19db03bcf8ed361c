"""One small shop as Flask, Starlette, FastAPI, bare ASGI and bare WSGI, instrumented and served."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import fastapi
import flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from wf_instrument.integrations import asgi as for_asgi
from wf_instrument.integrations import fastapi as for_fastapi
from wf_instrument.integrations import flask as for_flask
from wf_instrument.integrations import starlette as for_starlette
from wf_instrument.integrations import wsgi as for_wsgi

from asgi_server import served_asgi
from flask_site import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

FRAMEWORKS = ["flask", "starlette", "fastapi", "asgi", "wsgi"]

BODY = "three shirts"
HEADERS = [
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Length", str(len(BODY))),
    ("X-Shop", "north"),
    ("Set-Cookie", "session=abc"),
    ("Server-Timing", "db;dur=5"),
]

log = logging.getLogger("shop")


def flask_site() -> flask.Flask:
    app = flask.Flask("shop")

    @app.route("/item/<number>")
    def item(number: str) -> flask.Response:
        log.info("looked up")
        return flask.Response(BODY, headers=HEADERS)

    @app.route("/boom")
    def boom() -> str:
        raise ValueError("no shirts")

    @app.errorhandler(ValueError)
    def handle(error: ValueError) -> tuple[str, int]:
        log.error("handled")
        return "sorry", 500

    return app


async def _item(request: Request) -> PlainTextResponse:
    log.info("looked up")
    return PlainTextResponse(BODY, headers=dict(HEADERS))


async def _boom(request: Request) -> PlainTextResponse:
    raise ValueError("no shirts")


async def handle_error(request: Request, error: Exception) -> PlainTextResponse:
    log.error("handled")
    return PlainTextResponse("sorry", 500)


def handle_error_in_thread(request: Request, error: Exception) -> PlainTextResponse:
    log.error("handled")
    return PlainTextResponse("sorry", 500)


def starlette_site(handler: Any = handle_error, kind: Any = Exception) -> Starlette:
    routes = [Route("/item/{number}", _item), Route("/boom", _boom)]
    return Starlette(routes=routes, exception_handlers={kind: handler})


def fastapi_site(handler: Any = handle_error, kind: Any = ValueError) -> fastapi.FastAPI:
    app = fastapi.FastAPI(exception_handlers={kind: handler})

    @app.get("/item/{number}")
    def item(number: str) -> PlainTextResponse:
        log.info("looked up")
        return PlainTextResponse(BODY, headers=dict(HEADERS))

    @app.get("/boom")
    async def boom() -> None:
        raise ValueError("no shirts")

    return app


async def asgi_site(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    if scope["path"] == "/boom":
        raise ValueError("no shirts")
    log.info("looked up")
    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS]
    await send({"type": "http.response.start", "status": 200, "headers": iter(headers)})
    await send({"type": "http.response.body", "body": BODY.encode()})


def wsgi_site(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    if environ["PATH_INFO"] == "/boom":
        raise ValueError("no shirts")
    log.info("looked up")
    start_response("200 OK", list(HEADERS))
    return [BODY.encode()]


_MAKERS: dict[str, tuple[Callable[[], Any], Callable[..., Any], Any]] = {
    "flask": (flask_site, for_flask.instrument_app, served),
    "starlette": (starlette_site, for_starlette.instrument_app, served_asgi),
    "fastapi": (fastapi_site, for_fastapi.instrument_app, served_asgi),
    "asgi": (lambda: asgi_site, for_asgi.instrument_app, served_asgi),
    "wsgi": (lambda: wsgi_site, for_wsgi.instrument_app, served),
}


@contextmanager
def serving(framework: str, *, is_bare: bool = False, **settings: object) -> Iterator[int]:
    """Serve the shop, instrumented with these settings unless bare; yields the port."""
    make, instrument_app, serve = _MAKERS[framework]
    app = make() if is_bare else instrument_app(make(), **settings)
    options = {"lifespan": "off"} if framework == "asgi" else {}
    with serve(app, **options) as port:
        yield port
