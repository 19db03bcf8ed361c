"""Policies of views that are classes, and of views behind a mount, in each framework."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

import fastapi
import flask
import flask.views
import litestar
import pytest
import quart
import quart.views
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import include, path
from django.views import View
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from wf_instrument.integrations.django import instrument_app as instrument_django
from wf_instrument.integrations.fastapi import instrument_app as instrument_fastapi
from wf_instrument.integrations.flask import instrument_app as instrument_flask
from wf_instrument.integrations.litestar import instrument_app as instrument_litestar
from wf_instrument.integrations.quart import instrument_app as instrument_quart
from wf_instrument.integrations.starlette import instrument_app as instrument_starlette

import django_site  # noqa: F401 - sets Django up
import wf_instrument
from asgi_server import fetch, served_asgi
from flask_site import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wf_instrument.testing import RecordingReporter

#: Is on the method `get` of each of the classes.
of_get = wf_instrument.observe(exclude={"metrics"})
#: Is on the class itself.
of_class = wf_instrument.observe(exclude={"spans"})


def flask_site(reporter: RecordingReporter) -> Any:
    @of_class
    class Cart(flask.views.MethodView):
        @of_get
        def get(self) -> str:
            return "ok"

        def post(self) -> str:
            return "ok"

    app = flask.Flask("site")
    app.add_url_rule("/shop/cart", view_func=Cart.as_view("cart"))
    return served(instrument_flask(app, reporter=reporter))


def quart_site(reporter: RecordingReporter) -> Any:
    @of_class
    class Cart(quart.views.MethodView):
        @of_get
        async def get(self) -> str:
            return "ok"

        async def post(self) -> str:
            return "ok"

    app = quart.Quart("site")
    app.add_url_rule("/shop/cart", view_func=Cart.as_view("cart"))
    return served_asgi(instrument_quart(app, reporter=reporter))


def starlette_site(reporter: RecordingReporter) -> Any:
    @of_class
    class Cart(HTTPEndpoint):
        @of_get
        async def get(self, request: object) -> PlainTextResponse:
            return PlainTextResponse("ok")

        async def post(self, request: object) -> PlainTextResponse:
            return PlainTextResponse("ok")

    app = Starlette(routes=[Mount("/shop", routes=[Route("/cart", Cart)])])
    return served_asgi(instrument_starlette(app, reporter=reporter))


def django_urls() -> ModuleType:
    @of_class
    class Cart(View):
        @of_get
        def get(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse("ok")

        def post(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse("ok")

    urls = ModuleType("urls")
    vars(urls)["urlpatterns"] = [path("shop/", include([path("cart", Cart.as_view())]))]
    return urls


def django_wsgi_site(reporter: RecordingReporter) -> Any:
    return served(instrument_django(get_wsgi_application(), reporter=reporter))


def django_asgi_site(reporter: RecordingReporter) -> Any:
    return served_asgi(instrument_django(get_asgi_application(), reporter=reporter))


SITES = [flask_site, quart_site, starlette_site, django_wsgi_site, django_asgi_site]
every_site = pytest.mark.parametrize("site", SITES)


@pytest.fixture(autouse=True)
def urls() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=django_urls(), MIDDLEWARE=[]):
        yield


def templates(reporter: RecordingReporter) -> list[str]:
    assert wf_instrument.flush(5)
    return [dict(span.tags)["http.route"] for span in reporter.spans]


@every_site
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_method_of_a_class_has_its_policy_and_answers_for_head(
    reporter: RecordingReporter, site: Callable[[RecordingReporter], Any], method: str
) -> None:
    with site(reporter) as port:
        assert fetch(port, "/shop/cart", method)[0] == 200
    assert templates(reporter) == ["/shop/cart"]
    assert reporter.requests == ()


@every_site
def test_a_class_has_a_policy_for_the_methods_without_one(
    reporter: RecordingReporter, site: Callable[[RecordingReporter], Any]
) -> None:
    with site(reporter) as port:
        assert fetch(port, "/shop/cart", "POST", b"")[0] in {200, 201, 403}
    assert templates(reporter) == []
    reporter.assert_request(1, route="/shop/cart")


@of_get
def cart() -> str:
    return "ok"


def test_a_view_behind_the_prefix_of_a_router_has_its_policy(reporter: RecordingReporter) -> None:
    router = fastapi.APIRouter()
    router.add_api_route("/cart", cart)
    api = fastapi.FastAPI()
    api.include_router(router, prefix="/shop")
    with served_asgi(instrument_fastapi(api, reporter=reporter)) as port:
        fetch(port, "/shop/cart")
    assert templates(reporter) == ["/shop/cart"]
    assert reporter.requests == ()


def test_a_handler_of_a_controller_has_its_policy(reporter: RecordingReporter) -> None:
    class Shop(litestar.Controller):
        path = "/shop"

        @litestar.get("/cart", sync_to_thread=False)
        @of_get
        def cart(self) -> str:
            return "ok"

    with served_asgi(instrument_litestar(litestar.Litestar([Shop]), reporter=reporter)) as port:
        fetch(port, "/shop/cart")
    assert templates(reporter) == ["/shop/cart"]
    assert reporter.requests == ()
