"""WebSockets of FastAPI, of bare applications, and behind middlewares."""

from __future__ import annotations

import asyncio
import importlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.websockets import WebSocket  # noqa: TC002 - FastAPI reads the annotation
from websockets.exceptions import ConnectionClosed
from wf_instrument.integrations import asgi, fastapi, starlette

from asgi_server import served_asgi
from websocket_site import (
    ROUTES,
    only_end,
    only_row,
    open_socket,
    site,
    total,
    until,
    visit,
    wait_for_spans,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.testing import RecordingReporter


class Hurry:
    """Ends a connection that takes too long, as timeout middlewares do."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await asyncio.wait_for(self.app(scope, receive, send), 0.02)
        else:
            await self.app(scope, receive, send)


def test_a_connection_that_a_middleware_ends_timed_out(reporter: RecordingReporter) -> None:
    app = Starlette(routes=ROUTES, middleware=[Middleware(Hurry)])
    with site(reporter, app) as port:
        visit(port, "/echo")
        end = only_end(reporter)
    assert (end.status, end.outcome, end.error_type) == (101, "timeout", "TimeoutError")


class Cancelling:
    """Cancels the task of a connection once it was accepted, as a server in a hurry does."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        is_accepted = asyncio.Event()

        async def send_and_tell(message: Any) -> None:
            await send(message)
            is_accepted.set()

        task = asyncio.create_task(self.app(scope, receive, send_and_tell))
        await is_accepted.wait()
        task.cancel()
        await asyncio.wait([task])
        await send({"type": "websocket.close", "code": 1012})


def test_a_cancelled_connection_is_no_error(reporter: RecordingReporter) -> None:
    app = starlette.instrument_app(Starlette(routes=ROUTES), reporter=reporter)
    with served_asgi(Cancelling(app)) as port:
        visit(port, "/echo")
        end = only_end(reporter)
        assert until(reporter, lambda seen: total(seen, "in_flight") == 0)
        (span,) = wait_for_spans(reporter)
    assert (end.status, end.outcome, end.is_error) == (101, "cancelled", False)
    assert not span.is_error


def test_nested_layers_record_a_connection_once_under_the_inner_name(
    reporter: RecordingReporter,
) -> None:
    inner = starlette.instrument_app(Starlette(routes=ROUTES), reporter=reporter)
    with served_asgi(asgi.TelemetryMiddleware(inner, reporter=reporter)) as port:
        with open_socket(port, "/room/3") as client:
            client.send("x")
            client.recv(timeout=5)
        key = only_row(reporter).key
        assert until(reporter, lambda seen: total(seen, "in_flight") == 0)
        assert len(wait_for_spans(reporter)) == 1
    assert (key.framework, key.route) == ("starlette", "/room/{id:int}")
    assert total(reporter, "connections") == 1
    assert total(reporter, "messages_received") == 1


def test_fastapi_names_websockets_with_the_prefix_of_their_router(
    reporter: RecordingReporter,
) -> None:
    router = APIRouter(prefix="/v1")

    @router.websocket("/room/{room_id}")
    async def chat(websocket: WebSocket, room_id: int) -> None:
        await websocket.accept()
        await websocket.send_json({"room": room_id})
        await websocket.receive_json()

    app = FastAPI()
    app.include_router(router, prefix="/api")
    with served_asgi(fastapi.instrument_app(app, reporter=reporter)) as port:
        with open_socket(port, "/api/v1/room/3") as client:
            assert client.recv(timeout=5) == '{"room":3}'
        row = only_row(reporter)
    key = row.key
    assert (key.framework, key.route, key.func) == ("fastapi", "/api/v1/room/{room_id}", "chat")
    assert (row.messages_sent, row.sent_bytes) == (1, 10)


def test_fastapi_refuses_arguments_that_are_no_good_as_an_error_of_the_client(
    reporter: RecordingReporter,
) -> None:
    app = FastAPI()

    @app.websocket("/room/{room_id}")
    async def chat(websocket: WebSocket, room_id: int) -> None:
        await websocket.accept()

    with served_asgi(fastapi.instrument_app(app, reporter=reporter)) as port:
        visit(port, "/room/none")
        row, end = only_row(reporter), only_end(reporter)
    assert row.key.route == "/room/{room_id}"
    assert (end.status, end.outcome) == (403, "client_error")


async def bare_echo(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "websocket":
        return
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "bytes": message["bytes"] * 2})


async def bare_push(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "websocket":
        return
    await send({"type": "websocket.accept"})
    while True:
        await send({"type": "websocket.send", "text": "tick"})
        await asyncio.sleep(0.001)


@contextmanager
def bare_site(reporter: RecordingReporter, app: Any, **options: Any) -> Iterator[int]:
    with served_asgi(asgi.TelemetryMiddleware(app, reporter=reporter, **options)) as port:
        yield port


def test_a_bare_application_is_recorded_by_the_resolver_of_its_routes(
    reporter: RecordingReporter,
) -> None:
    with bare_site(reporter, bare_echo, route_of=lambda scope: "/echo") as port:
        with open_socket(port, "/echo") as client:
            client.send(b"abc")
            assert client.recv(timeout=5) == b"abcabc"
        row, end = only_row(reporter), only_end(reporter)
    assert (row.key.framework, row.key.route, end.outcome) == ("asgi", "/echo", "ok")
    assert (row.received_bytes, row.sent_bytes) == (3, 6)


def test_an_open_connection_without_a_route_is_in_flight(reporter: RecordingReporter) -> None:
    with bare_site(reporter, bare_echo) as port, open_socket(port, "/echo"):
        assert until(reporter, lambda seen: total(seen, "in_flight") == 1)
        (row,) = reporter.websockets
    assert row.key.route is None


@pytest.mark.parametrize("ws", ["websockets-sansio", "wsproto"])
def test_a_send_that_the_server_refuses_since_the_client_left_is_no_error(
    reporter: RecordingReporter, ws: str
) -> None:
    if ws == "wsproto":
        pytest.importorskip("wsproto")
    app = asgi.TelemetryMiddleware(bare_push, reporter=reporter)
    with served_asgi(app, ws=ws) as port:
        with open_socket(port, "/push") as client:
            client.recv(timeout=5)
        end = only_end(reporter)
        (span,) = wait_for_spans(reporter)
    assert (end.status, end.error_type, end.is_error) == (101, None, False)
    assert not span.is_error


@pytest.mark.expects_caught
def test_a_resolver_that_raises_harms_no_connection(reporter: RecordingReporter) -> None:
    def broken(scope: Any) -> str | None:
        raise RuntimeError("broken on purpose")

    with (
        bare_site(reporter, bare_echo, route_of=broken) as port,
        open_socket(port, "/echo") as client,
    ):
        client.send(b"abc")
        assert client.recv(timeout=5) == b"abcabc"


def quart_site(reporter: RecordingReporter) -> Any:
    app = pytest.importorskip("quart").Quart("sockets")

    @app.websocket("/room/<int:number>")
    async def chat(number: int) -> None:
        websocket = importlib.import_module("quart").websocket
        await websocket.send(await websocket.receive())
        if number == 13:
            raise ValueError("no shirts")
        await websocket.receive()

    integration = importlib.import_module("wf_instrument.integrations.quart")
    return integration.instrument_app(app, reporter=reporter)


def litestar_site(reporter: RecordingReporter) -> Any:
    litestar = pytest.importorskip("litestar")

    async def chat(socket: Any) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        if socket.path_params["number"] == 13:
            raise ValueError("no shirts")
        await socket.receive_text()

    chat.__annotations__["socket"] = litestar.WebSocket
    app = litestar.Litestar([litestar.websocket("/room/{number:int}")(chat)])
    integration = importlib.import_module("wf_instrument.integrations.litestar")
    return integration.instrument_app(app, reporter=reporter)


@pytest.mark.parametrize(
    ("make_site", "framework", "route"),
    [
        pytest.param(quart_site, "quart", "/room/<int:number>", id="quart"),
        pytest.param(litestar_site, "litestar", "/room/{number:int}", id="litestar"),
    ],
)
def test_quart_and_litestar_name_websockets_by_their_templates(
    reporter: RecordingReporter, make_site: Any, framework: str, route: str
) -> None:
    with served_asgi(make_site(reporter)) as port:
        with open_socket(port, "/room/3") as client:
            client.send("x")
            assert client.recv(timeout=5) == "x"
        row, end = only_row(reporter), only_end(reporter)
    key = row.key
    assert (key.framework, key.route, key.func) == (framework, route, "chat")
    assert (row.messages_received, row.messages_sent) == (1, 1)
    assert (end.status, end.outcome) == (101, "ok")


@pytest.mark.parametrize("make_site", [quart_site, litestar_site], ids=["quart", "litestar"])
def test_handlers_of_quart_and_litestar_that_raise_are_errors(
    reporter: RecordingReporter, make_site: Any
) -> None:
    with served_asgi(make_site(reporter)) as port:
        with open_socket(port, "/room/13") as client:
            client.send("x")
            client.recv(timeout=5)
            with pytest.raises(ConnectionClosed):
                client.recv(timeout=5)
        end = only_end(reporter)
    assert (end.status, end.outcome, end.error_type) == (101, "server_error", "ValueError")
