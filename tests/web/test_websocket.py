"""What WebSocket connections are recorded as, on Starlette, FastAPI and a bare application."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from wf_instrument.integrations import starlette

import wf_instrument
from asgi_server import fetch, served_asgi
from wf_instrument.testing import RecordingReporter
from wf_instrument.web.current import current_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from websockets.sync.client import ClientConnection

    from wf_instrument.reporting.snapshot import WebSocketEnd, WebSocketInterval


@pytest.fixture
def reporter() -> Iterator[RecordingReporter]:
    yield RecordingReporter()
    wf_instrument.shutdown(5)


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
        until = time.thread_time() + 0.04
        while time.thread_time() < until:
            pass
        await websocket.send_text("burnt")
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


@pytest.mark.parametrize(
    ("path", "route"),
    [
        pytest.param("/echo", "/echo", id="plain"),
        pytest.param("/room/3", "/room/{id:int}", id="template"),
        pytest.param("/north/api/user/3", "/{tenant}/api/user/{id:int}", id="mount"),
    ],
)
def test_a_connection_is_recorded_under_its_template_and_endpoint(
    reporter: RecordingReporter, path: str, route: str
) -> None:
    with site(reporter) as port:
        come_and_go(port, path)
        key = only_row(reporter).key
    assert (key.framework, key.route, key.func) == ("starlette", route, "echo")
    assert key.scheme == "ws"


@pytest.mark.parametrize(
    ("path", "status", "outcome", "answer"),
    [
        pytest.param("/refuse", 403, "client_error", 403, id="closed-before-accepted"),
        pytest.param("/nothing", 403, "client_error", 403, id="no-route"),
        pytest.param("/deny", 402, "client_error", 402, id="response-instead"),
        pytest.param("/not-here", 410, "client_error", 410, id="http-exception"),
        pytest.param("/silent", 500, "server_error", 500, id="handler-says-nothing"),
        pytest.param("/close/1000", 101, "ok", 1000, id="normal"),
        pytest.param("/close/4001", 101, "ok", 4001, id="private-code"),
        pytest.param("/close/1008", 101, "client_error", 1008, id="policy"),
        pytest.param("/close/1011", 101, "server_error", 1011, id="internal-error"),
    ],
)
def test_how_the_application_ends_it_is_the_status_and_outcome(
    reporter: RecordingReporter, path: str, status: int, outcome: str, answer: int
) -> None:
    with site(reporter) as port:
        assert visit(port, path) == answer
        end = only_end(reporter)
    assert (end.status, end.outcome, end.error_type) == (status, outcome, None)


@pytest.mark.parametrize("path", ["/echo", "/polite"])
@pytest.mark.parametrize(
    ("code", "outcome"),
    [(1000, "ok"), (1001, "ok"), (4999, "ok"), (1007, "client_error")],
)
def test_how_the_client_ends_it_is_no_error_of_the_handler(
    reporter: RecordingReporter, path: str, code: int, outcome: str
) -> None:
    with site(reporter) as port:
        come_and_go(port, path, code)
        end = only_end(reporter)
        (span,) = wait_for_spans(reporter)
    assert (end.status, end.outcome, end.error_type) == (101, outcome, None)
    assert dict(span.tags)["websocket.close_code"] == str(code)
    assert not span.is_error


@pytest.mark.parametrize("path", ["/echo", "/push"])
def test_a_client_that_is_lost_without_a_word_is_no_error(
    reporter: RecordingReporter, path: str
) -> None:
    with site(reporter) as port, open_socket(port, path) as client:
        client.socket.shutdown(socket.SHUT_RDWR)
        end = only_end(reporter)
    assert (end.status, end.error_type, end.is_error) == (101, None, False)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/boom-before", 500), ("/boom-after", 101), ("/boom-in-the-end", 101)],
)
def test_a_handler_that_raises_is_an_error_with_its_exception(
    reporter: RecordingReporter, path: str, status: int
) -> None:
    with site(reporter) as port:
        if path == "/boom-in-the-end":
            come_and_go(port, path)
        else:
            visit(port, path)
        end = only_end(reporter)
        (span,) = wait_for_spans(reporter)
    assert (end.status, end.outcome, end.error_type) == (status, "server_error", "ValueError")
    assert span.is_error
    assert dict(span.logs[0].fields)["message"] == "no shirts"


def wait_for_spans(reporter: RecordingReporter) -> Any:
    assert until(reporter, lambda seen: bool(seen.spans))
    return reporter.spans


def test_messages_and_bytes_are_counted_while_the_connection_is_open(
    reporter: RecordingReporter,
) -> None:
    with site(reporter) as port, open_socket(port, "/echo") as client:
        for text in ("a", "bc", "d\u00e9"):
            client.send(text)
            client.recv(timeout=5)
        assert until(reporter, lambda seen: total(seen, "messages_sent") == 3)
        (row,) = reporter.websockets
    assert (row.messages_received, row.messages_sent) == (3, 3)
    assert (row.received_bytes, row.sent_bytes) == (6, 6)
    assert (row.in_flight, row.connections) == (1, 0)


def test_nothing_that_passed_is_lost_or_told_twice_at_the_end(
    reporter: RecordingReporter,
) -> None:
    with site(reporter) as port:
        for _ in range(5):
            with open_socket(port, "/echo") as client:
                for _ in range(200):
                    client.send("x")
                    client.recv(timeout=5)
        assert until(reporter, lambda seen: total(seen, "connections") == 5)
        (row,) = reporter.websockets
    assert (row.messages_received, row.messages_sent) == (1000, 1000)
    assert row.duration is not None
    assert row.duration.count == 5


def test_connections_are_in_flight_apart_from_requests_and_go_back_to_0(
    reporter: RecordingReporter,
) -> None:
    with site(reporter) as port:
        with ExitStack() as clients:
            for _ in range(3):
                clients.enter_context(open_socket(port, "/polite"))
            assert until(reporter, lambda seen: total(seen, "in_flight") == 3)
            fetch(port, "/home")
        assert until(reporter, lambda seen: total(seen, "connections") == 3)
        assert until(reporter, lambda seen: total(seen, "in_flight") == 0)
    assert dict(reporter.snapshot.total_in_flight) == {"starlette": 0}
    assert [row.route for row in reporter.snapshot.in_flight] == ["/home"]


def test_a_closed_connection_is_not_in_flight_though_its_handler_goes_on(
    reporter: RecordingReporter,
) -> None:
    with site(reporter) as port:
        with open_socket(port, "/lingers") as client, pytest.raises(ConnectionClosed):
            client.recv(timeout=5)
        assert until(reporter, lambda seen: bool(seen.websockets))
        in_flight, connections = total(reporter, "in_flight"), total(reporter, "connections")
        loop, is_over = lingering.pop()
        loop.call_soon_threadsafe(is_over.set)
        assert (in_flight, connections) == (0, 0)
        assert only_end(reporter).outcome == "ok"
