"""The route of a request is the same by short cuts and by their twins, in every framework."""

from __future__ import annotations

import asyncio
import inspect
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router
from wf_instrument.integrations._starlette_routes import RouteFinder

import wf_instrument
from wf_instrument.testing import RecordingReporter
from wf_instrument.web.asgi import REQUEST_KEY, AsgiRequest

if TYPE_CHECKING:
    from starlette.requests import Request

pytestmark = pytest.mark.usefixtures("twin")


async def view(request: Request) -> PlainTextResponse:
    return PlainTextResponse("seen")


STARLETTE_ROUTES: Final = {
    "/plain/1": "/plain/{number}",
    "/mounted/2": "/mounted/{number}",
    "/twice/deep/3": "/twice/deep/{number}",
    "/mounted/none/such": "UNKNOWN",
    "/none": "UNKNOWN",
}


def starlette_app() -> Starlette:
    inner = [Route("/{number}", view)]
    return Starlette(
        routes=[
            Route("/plain/{number}", view),
            Mount("/mounted", routes=inner),
            Mount("/twice", routes=[Mount("/deep", routes=inner)]),
            Host("shop.example", Router(inner)),
        ]
    )


FASTAPI_ROUTES: Final = {
    "/own/1": "/own/{number}",
    "/first/here/2": "/first/here/{number}",
    "/second/here/3": "/second/here/{number}",
    "/sub/own/4": "/sub/own/{number}",
    "/none": "UNKNOWN",
}


def fastapi_app() -> FastAPI:
    app, sub, router = FastAPI(), FastAPI(), APIRouter(prefix="/here")

    async def number_of(number: int) -> int:
        return number

    app.get("/own/{number}")(number_of)
    sub.get("/own/{number}")(number_of)
    router.get("/{number}")(number_of)
    app.include_router(router, prefix="/first")
    app.include_router(router, prefix="/second")
    app.mount("/sub", sub)
    return app


@pytest.mark.parametrize(
    ("app", "routes"),
    [(starlette_app, STARLETTE_ROUTES), (fastapi_app, FASTAPI_ROUTES)],
    ids=["starlette", "fastapi"],
)
def test_asgi_routes_are_told_in_full(app: Any, routes: dict[str, str]) -> None:
    assert routes_recorded(app(), list(routes)) == sorted(routes.values())


def test_a_host_is_part_of_the_route() -> None:
    assert routes_recorded(starlette_app(), ["/5"], "http://shop.example") == [
        "shop.example/{number}"
    ]


def routes_recorded(app: Any, paths: list[str], base_url: str = "http://test") -> list[str]:
    reporter = RecordingReporter()
    handle = wf_instrument.instrument(app, reporter=reporter, tick_s=60)

    async def ask() -> None:
        transport = httpx.ASGITransport(handle.app)
        async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
            for path in paths:
                # The second time, all is known.
                await client.get(path)
                await client.get(path)

    asyncio.run(ask())
    wf_instrument.flush()
    handle.uninstrument()
    return sorted(
        row.key.route or "UNKNOWN" for row in reporter.requests for _ in range(row.count // 2)
    )


def test_flask_rules_are_told() -> None:
    app = Flask("rules")
    app.add_url_rule("/shirts/<int:number>", view_func=lambda number: f"{number}", endpoint="one")
    reporter = RecordingReporter()
    handle = wf_instrument.instrument(app, reporter=reporter, tick_s=60)
    with app.test_client() as client:
        for path in ("/shirts/1", "/shirts/2", "/none"):
            client.get(path).close()
    wf_instrument.flush()
    handle.uninstrument()
    assert {row.key.route or "UNKNOWN": row.count for row in reporter.requests} == {
        "/shirts/<int:number>": 2,
        "UNKNOWN": 1,
    }


def test_a_request_that_is_no_flask_request_has_no_rule() -> None:
    app = Flask("bare")
    app.add_url_rule("/", view_func=lambda: "seen", endpoint="one")
    inner = app.wsgi_app

    def without_rule(environ: Any, start_response: Any) -> Any:
        start_response = _replacing(environ, start_response)
        return inner(environ, start_response)

    app.wsgi_app = without_rule  # type: ignore[method-assign]
    reporter = RecordingReporter()
    handle = wf_instrument.instrument(app, reporter=reporter, tick_s=60)
    with app.test_client() as client:
        assert client.get("/").text == "seen"
    wf_instrument.flush()
    handle.uninstrument()
    assert [row.key.route for row in reporter.requests] == [None]


def _replacing(environ: Any, start_response: Any) -> Any:
    def replaced(*args: Any) -> Any:
        environ["werkzeug.request"] = object()
        return start_response(*args)

    return replaced


def test_a_scope_of_another_kind_of_mapping_tells_its_route_too() -> None:
    request = AsgiRequest.__new__(AsgiRequest)
    route = Route("/odd", view)
    request.mounts = (route,)
    finder = RouteFinder()
    assert finder({REQUEST_KEY: request}) is route
    assert finder(MappingProxyType({REQUEST_KEY: request})) is route  # type: ignore[arg-type]


def test_a_route_notes_itself_however_its_handle_is_called() -> None:
    wf_instrument.instrument(starlette_app(), reporter="null://", tick_s=60).uninstrument()
    route = Route("/odd", view)
    request = AsgiRequest.__new__(AsgiRequest)
    scope: Any = {"type": "http", "method": "GET", "headers": [], REQUEST_KEY: request}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(route.handle(scope, receive=receive, send=send))
    asyncio.run(route.handle(scope, receive, send))
    assert request.mounts == (route,)
    other = Route("/other", view)
    asyncio.run(other.handle(scope, receive, send))
    assert request.mounts == (route, other)
    assert len(sent) == 6


def test_a_watched_handle_looks_like_the_one_it_stands_for() -> None:
    wf_instrument.instrument(starlette_app(), reporter="null://", tick_s=60).uninstrument()
    handle: Any = Route.handle
    assert handle.__name__ == "handle"
    assert handle.__qualname__ == "Route.handle"
    assert inspect.iscoroutinefunction(inspect.unwrap(handle))
