"""What we add to a request in function calls: a guard of speed that noise cannot blur."""

from __future__ import annotations

import asyncio
import cProfile
import gc
import io
import pstats
import sys
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import wf_instrument
from wf_instrument.speed import IS_COMPILED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Calls that a request may make besides the application's own, spans and metrics on. Alone it is
#: fewer (9 and 15 compiled, 60 and 61 in Python): other tests leave things at work in the process.
FLASK_AT_MOST = 20 if IS_COMPILED else 70
STARLETTE_AT_MOST = 25 if IS_COMPILED else 70


@pytest.fixture
def instrument() -> Iterator[Callable[[Any], Any]]:
    """Return what instruments an application with everything on, without a tick in between."""
    made = []

    def instrument(app: Any) -> Any:
        made.append(wf_instrument.instrument(app, reporter="null://", tick_s=60))
        return made[-1].app

    # Other tests' libraries hook themselves into the collector.
    gc.disable()
    yield instrument
    gc.enable()
    wf_instrument.shutdown()


def test_a_flask_request_makes_few_calls_of_ours(instrument: Callable[[Any], Any]) -> None:
    extra = _wsgi_calls(instrument(_flask_app())) - _wsgi_calls(_flask_app())

    assert 0 < extra <= FLASK_AT_MOST


def test_a_starlette_request_makes_few_calls_of_ours(instrument: Callable[[Any], Any]) -> None:
    extra = _asgi_calls(instrument(_starlette_app())) - _asgi_calls(_starlette_app())

    assert 0 < extra <= STARLETTE_AT_MOST


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
