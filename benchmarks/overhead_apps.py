"""What `request_overhead.py` measures: an application a framework, and how it is called."""

from __future__ import annotations

import asyncio
import io
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PATH = "/style/x-1/make"


# The applications.


def flask_app() -> Any:
    import flask

    app = flask.Flask("bench")

    @app.route("/style/<path:id>/make")
    def make_shirts(id: str) -> str:  # noqa: A002 - as in the documentation's example
        return f"Shirts {id} made."

    return app


def wsgi_app() -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "16")])
        return [b"Shirts x-1 made."]

    return app


def asgi_app() -> Any:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"16")]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"Shirts x-1 made."})

    return app


def starlette_app() -> Any:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def make_shirts(request: Any) -> PlainTextResponse:
        return PlainTextResponse(f"Shirts {request.path_params['id']} made.")

    return Starlette(routes=[Route("/style/{id:path}/make", make_shirts)])


def fastapi_app() -> Any:
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/style/{id:path}/make")
    async def make_shirts(id: str) -> str:  # noqa: A002 - as above
        return f"Shirts {id} made."

    return app


def django_app(*middleware: str) -> Any:
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler

    if not settings.configured:
        import django
        from django.http import HttpResponse
        from django.urls import path

        def make_shirts(request: Any, id: str) -> HttpResponse:  # noqa: A002 - as above
            return HttpResponse(f"Shirts {id} made.")

        routes = type(sys)("bench_urls")
        routes.urlpatterns = [path("style/<path:id>/make", make_shirts)]  # type: ignore[attr-defined]
        sys.modules["bench_urls"] = routes
        settings.configure(ROOT_URLCONF="bench_urls", ALLOWED_HOSTS=["*"], MIDDLEWARE=[])
        django.setup()
    settings.MIDDLEWARE = list(middleware)
    return WSGIHandler()


MAKERS: dict[str, Callable[[], Any]] = {
    "flask": flask_app,
    "wsgi": wsgi_app,
    "django": django_app,
    "asgi": asgi_app,
    "starlette": starlette_app,
    "fastapi": fastapi_app,
}
WSGI = {"flask", "wsgi", "django"}


# Calling them.


def call_wsgi(app: Any, requests: int) -> Callable[[], None]:
    """Return what serves so many requests; what a server makes for each is made before."""
    environs = [wsgi_environ() for _ in range(requests)]

    def serve() -> None:
        for environ in environs:
            ask_wsgi(app, environ)

    return serve


def ask_wsgi(app: Any, environ: dict[str, Any]) -> None:
    """Serve one request as a server does."""
    body = app(environ, _start_response)
    for _ in body:
        pass
    close = getattr(body, "close", None)
    if close is not None:
        close()


def _start_response(*_: Any) -> Callable[[bytes], None]:
    return lambda data: None


def wsgi_environ() -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": PATH,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8080",
        "HTTP_USER_AGENT": "bench",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def call_asgi(app: Any, requests: int) -> Callable[[], None]:
    """As `call_wsgi`; one event loop serves all of them, each in a task, as servers do."""
    scopes = [asgi_scope() for _ in range(requests)]

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        for scope in scopes:
            await loop.create_task(app(scope, receive, send))

    return lambda: asyncio.run(serve())


async def receive() -> dict[str, Any]:
    """Tell that the request has no body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Any) -> None:
    """Take what a server would write."""


def asgi_scope() -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8080"), (b"user-agent", b"bench"), (b"accept", b"*/*")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8080),
        "state": {},
    }
