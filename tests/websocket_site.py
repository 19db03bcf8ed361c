"""An application full of WebSockets, and visitors of it."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from wf_instrument.integrations import starlette

import wf_instrument
from asgi_server import served_asgi
from wf_instrument.web.current import current_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from websockets.sync.client import ClientConnection

    from wf_instrument.reporting.snapshot import WebSocketEnd, WebSocketInterval
    from wf_instrument.testing import RecordingReporter


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        await websocket.send_text(await websocket.receive_text())


async def polite(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        await websocket.receive_text()
    except WebSocketDisconnect:
        return


async def refuse(websocket: WebSocket) -> None:
    await websocket.close()


async def deny(websocket: WebSocket) -> None:
    await websocket.send_denial_response(PlainTextResponse("pay first", 402))


async def not_here(websocket: WebSocket) -> None:
    raise HTTPException(410)


async def close_with_code(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close(int(websocket.path_params["code"]))


async def close_while_reading(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.receive_text()
    reading = asyncio.ensure_future(websocket.receive_text())
    await asyncio.sleep(0)  # it reads now
    await websocket.close()
    await reading


async def boom_before(websocket: WebSocket) -> None:
    raise ValueError("no shirts")


async def boom_after(websocket: WebSocket) -> None:
    await websocket.accept()
    raise ValueError("no shirts")


async def boom_in_the_end(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        await websocket.receive_text()
    finally:
        raise ValueError("no shirts")


async def silent(websocket: WebSocket) -> None:
    pass


async def hold(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.receive_text()
    time.sleep(0.15)  # noqa: ASYNC251 - holding the loop is what it is for
    await websocket.send_text("held")
    await websocket.receive_text()


async def burn(websocket: WebSocket) -> None:
    await websocket.accept()
    for _ in range(2):
        begun = time.thread_time()
        while time.thread_time() < begun + 0.04:
            pass
        await websocket.send_text(str(time.thread_time() - begun))
    await websocket.close()


async def names_trace(websocket: WebSocket) -> None:
    await websocket.accept()
    request = current_request()
    span = wf_instrument.get_tracer().active_span
    is_same = request is not None and request.span is span
    await websocket.send_text(f"{span.trace_id_int:032x} {is_same}")
    await websocket.close()


async def pushes_for_ever(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        await websocket.send_text("tick")
        await asyncio.sleep(0.001)


async def lingers(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()
    is_over = asyncio.Event()
    lingering.append((asyncio.get_running_loop(), is_over))
    await is_over.wait()


#: The loops of handlers that linger, and what ends them.
lingering: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []


async def home(request: Any) -> Any:
    return PlainTextResponse("home")


ROUTES = [
    WebSocketRoute("/echo", echo),
    WebSocketRoute("/room/{id:int}", echo),
    WebSocketRoute("/polite", polite),
    WebSocketRoute("/refuse", refuse),
    WebSocketRoute("/deny", deny),
    WebSocketRoute("/not-here", not_here),
    WebSocketRoute("/close/{code:int}", close_with_code),
    WebSocketRoute("/close-while-reading", close_while_reading),
    WebSocketRoute("/boom-before", boom_before),
    WebSocketRoute("/boom-after", boom_after),
    WebSocketRoute("/boom-in-the-end", boom_in_the_end),
    WebSocketRoute("/silent", silent),
    WebSocketRoute("/hold", hold),
    WebSocketRoute("/burn", burn),
    WebSocketRoute("/trace", names_trace),
    WebSocketRoute("/push", pushes_for_ever),
    WebSocketRoute("/lingers", lingers),
    Route("/home", home),
    Mount("/{tenant}/api", routes=[WebSocketRoute("/user/{id:int}", echo)]),
]


@contextmanager
def site(
    reporter: RecordingReporter, app: Starlette | None = None, **settings: Any
) -> Iterator[int]:
    app = app or Starlette(routes=ROUTES)
    with served_asgi(starlette.instrument_app(app, reporter=reporter, **settings)) as port:
        yield port


@contextmanager
def open_socket(port: int, path: str, **options: Any) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{port}{path}", proxy=None, **options) as client:
        yield client


def come_and_go(port: int, path: str, code: int = 1000, **options: Any) -> None:
    with open_socket(port, path, **options) as client:
        client.close(code)


def visit(port: int, path: str) -> int | None:
    """Connect and wait for the end; return the status of a refusal, or the close code."""
    try:
        with open_socket(port, path) as client:
            client.recv(timeout=5)
    except InvalidStatus as error:
        return error.response.status_code
    except ConnectionClosed:
        return client.close_code
    raise AssertionError("it stayed open")


def total(reporter: RecordingReporter, field: str) -> int:
    return sum(getattr(row, field) for row in reporter.websockets)


def until(reporter: RecordingReporter, condition: Callable[[RecordingReporter], bool]) -> bool:
    """Flush until the condition holds; False when it did not within five seconds."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        assert wf_instrument.flush(5)
        if reporter.wait_until(condition, 0.02):
            return True
    return False


def only_row(reporter: RecordingReporter) -> WebSocketInterval:
    """Return the row of the one connection, once it has ended."""
    assert until(reporter, lambda seen: total(seen, "connections") == 1)
    (row,) = [row for row in reporter.websockets if row.connections]
    return row


def only_end(reporter: RecordingReporter) -> WebSocketEnd:
    ((end, count),) = only_row(reporter).ends
    assert count == 1
    return end


def wait_for_spans(reporter: RecordingReporter) -> Any:
    assert until(reporter, lambda seen: bool(seen.spans))
    return reporter.spans
