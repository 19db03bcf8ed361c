"""Count what we add to a request in function calls: ``python tests/count_calls.py flask``.

A program of its own, since what other tests leave at work in a process is counted along.
"""

from __future__ import annotations

import asyncio
import cProfile
import gc
import io
import pstats
import sys
from typing import TYPE_CHECKING, Any

from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import wf_instrument

if TYPE_CHECKING:
    from collections.abc import Callable


def extra_calls(framework: str) -> float:
    """Return what our telemetry adds to a request of a framework, in function calls."""
    make, count = _KINDS[framework]
    # A collection in between runs what libraries hook into it.
    gc.disable()
    bare = count(make())
    # No tick in between.
    handle = wf_instrument.instrument(make(), reporter="null://", tick_s=60)
    extra = count(handle.app) - bare
    wf_instrument.shutdown()
    return extra


def _flask_app() -> Any:
    app = Flask("calls")

    @app.route("/style/<path:name>/make")
    def make_shirts(name: str) -> str:
        return f"Shirts {name} made."

    return app


def _starlette_app() -> Any:
    async def make_shirts(request: Any) -> PlainTextResponse:
        return PlainTextResponse(f"Shirts {request.path_params['name']} made.")

    return Starlette(routes=[Route("/style/{name:path}/make", make_shirts)])


def _per_request(serve: Callable[[int], object]) -> float:
    """Return the calls of one request: what more of them add, so that beginnings cancel out."""
    serve(50)
    # The least of three: a tick of the pipeline may fall into one of them.
    return min((_calls(serve, 60) - _calls(serve, 20)) / 40 for _ in range(3))


def _calls(serve: Callable[[int], object], requests: int) -> int:
    profile = cProfile.Profile()
    profile.enable()
    serve(requests)
    profile.disable()
    stats: Any = pstats.Stats(profile)
    return int(stats.total_calls)


def _wsgi_calls(app: Any) -> float:
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/style/x-1/make",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8080",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
    }

    def start_response(*_: Any) -> Callable[[bytes], None]:
        return lambda data: None

    def serve(requests: int) -> None:
        for _ in range(requests):
            body = app(environ.copy(), start_response)
            for _ in body:
                pass
            body.close()

    return _per_request(serve)


def _asgi_calls(app: Any) -> float:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/style/x-1/make",
        "raw_path": b"/style/x-1/make",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8080")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8080),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    async def requests_in_turn(requests: int) -> None:
        for _ in range(requests):
            await app(dict(scope), receive, send)

    return _per_request(lambda requests: asyncio.run(requests_in_turn(requests)))


_KINDS: dict[str, tuple[Callable[[], Any], Callable[[Any], float]]] = {
    "flask": (_flask_app, _wsgi_calls),
    "starlette": (_starlette_app, _asgi_calls),
}

if __name__ == "__main__":
    sys.stdout.write(f"{extra_calls(sys.argv[1]):g}\n")
