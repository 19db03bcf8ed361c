"""The same views served by each framework, instrumented, by a real server on loopback."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import fastapi
import flask
from fastapi.responses import PlainTextResponse
from starlette.applications import Starlette
from starlette.routing import Route
from wf_instrument.integrations import fastapi as our_fastapi
from wf_instrument.integrations import flask as our_flask
from wf_instrument.integrations import starlette as our_starlette

from asgi_server import served_asgi
from flask_site import served

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FRAMEWORKS", "serving"]

View = Callable[[], str]

FRAMEWORKS = ("flask", "starlette", "fastapi")


@contextmanager
def serving(framework: str, views: Mapping[str, View], **settings: Any) -> Iterator[int]:
    """Serve views without arguments under their paths; yields the port."""
    if framework == "flask":
        with served(_flask(views, settings)) as port:
            yield port
    else:
        make = _starlette if framework == "starlette" else _fastapi
        with served_asgi(make(views, settings)) as port:
            yield port


def _flask(views: Mapping[str, View], settings: Any) -> flask.Flask:
    app = flask.Flask("site")
    for path, view in views.items():
        app.add_url_rule(path, endpoint=view.__name__, view_func=view)
    return our_flask.instrument_app(app, **settings)


def _starlette(views: Mapping[str, View], settings: Any) -> Any:
    def endpoint(view: View) -> Any:
        @functools.wraps(view)
        def answer(request: object) -> PlainTextResponse:
            return PlainTextResponse(view())

        return answer

    routes = [Route(path, endpoint(view)) for path, view in views.items()]
    return our_starlette.instrument_app(Starlette(routes=routes), **settings)


def _fastapi(views: Mapping[str, View], settings: Any) -> Any:
    app = fastapi.FastAPI()
    for path, view in views.items():
        app.add_api_route(path, view, response_class=PlainTextResponse)
    return our_fastapi.instrument_app(app, **settings)
