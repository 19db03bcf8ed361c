"""The same views served by each framework, instrumented, by a real server on loopback."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import fastapi
import flask
import litestar
import quart
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path as django_path
from fastapi.responses import PlainTextResponse
from starlette.applications import Starlette
from starlette.routing import Route
from wf_instrument.integrations import django as our_django
from wf_instrument.integrations import fastapi as our_fastapi
from wf_instrument.integrations import flask as our_flask
from wf_instrument.integrations import litestar as our_litestar
from wf_instrument.integrations import quart as our_quart
from wf_instrument.integrations import starlette as our_starlette

import django_site  # noqa: F401 - sets Django up
from asgi_server import served_asgi
from flask_site import served

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FRAMEWORKS", "serving"]

View = Callable[[], str]

FRAMEWORKS = (
    "flask",
    "starlette",
    "fastapi",
    "quart",
    "litestar",
    "django-wsgi",
    "django-asgi",
)


@contextmanager
def serving(framework: str, views: Mapping[str, View], **settings: Any) -> Iterator[int]:
    """Serve views without arguments under their paths; yields the port."""
    if framework == "flask":
        with served(_flask(views, settings)) as port:
            yield port
    elif framework.startswith("django"):
        with override_settings(ROOT_URLCONF=_urls(views), MIDDLEWARE=[]):
            if framework == "django-wsgi":
                served_django = served(_django(get_wsgi_application(), settings))
            else:
                served_django = served_asgi(_django(get_asgi_application(), settings))
            with served_django as port:
                yield port
    else:
        make = {
            "starlette": _starlette,
            "fastapi": _fastapi,
            "quart": _quart,
            "litestar": _litestar,
        }[framework]
        with served_asgi(make(views, settings)) as port:
            yield port


def _urls(views: Mapping[str, View]) -> ModuleType:
    def answering(view: View) -> Any:
        @functools.wraps(view)
        def answer(request: object) -> HttpResponse:
            return HttpResponse(view())

        return answer

    urls = ModuleType("urls")
    patterns = [django_path(path[1:], answering(view)) for path, view in views.items()]
    vars(urls)["urlpatterns"] = patterns
    return urls


def _django(app: Any, settings: Any) -> Any:
    return our_django.instrument_app(app, **settings)


def _quart(views: Mapping[str, View], settings: Any) -> Any:
    app = quart.Quart("site")
    for path, view in views.items():
        app.add_url_rule(path, endpoint=view.__name__, view_func=view)
    return our_quart.instrument_app(app, **settings)


def _litestar(views: Mapping[str, View], settings: Any) -> Any:
    handlers = [
        litestar.get(path, media_type="text/plain", sync_to_thread=False)(view)
        for path, view in views.items()
    ]
    return our_litestar.instrument_app(litestar.Litestar(handlers, logging_config=None), **settings)


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
