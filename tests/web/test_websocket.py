"""How WebSocket connections are counted: how they end, what passes, what is open."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed

import wf_instrument
from asgi_server import fetch
from websocket_site import (
    come_and_go,
    lingering,
    only_end,
    only_row,
    open_socket,
    site,
    total,
    until,
    visit,
    wait_for_spans,
)
from wf_instrument.testing import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def reporter() -> Iterator[RecordingReporter]:
    yield RecordingReporter()
    wf_instrument.shutdown(5)


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


def test_a_reader_that_the_handlers_own_close_ends_is_no_error(
    reporter: RecordingReporter,
) -> None:
    with site(reporter) as port:
        with open_socket(port, "/close-while-reading") as client:
            client.send("close")
            with pytest.raises(ConnectionClosed):
                client.recv(timeout=5)
        end = only_end(reporter)
        (span,) = wait_for_spans(reporter)
    assert (end.status, end.outcome, end.error_type) == (101, "ok", None)
    assert dict(span.tags)["websocket.close_code"] == "1000"


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


def test_duration_is_that_of_accepted_connections_alone(reporter: RecordingReporter) -> None:
    with site(reporter) as port:
        visit(port, "/deny")
        row = only_row(reporter)
    assert (row.duration, row.messages_sent, row.sent_bytes) == (None, 0, 0)


@pytest.mark.slow
def test_duration_ends_with_the_connection(reporter: RecordingReporter) -> None:
    with site(reporter) as port:
        with open_socket(port, "/polite") as client, pytest.raises(TimeoutError):
            client.recv(timeout=0.2)
        row = only_row(reporter)
        (span,) = wait_for_spans(reporter)
    assert row.duration is not None
    assert 0.2 <= row.duration.sum < 60  # in seconds
    assert 0.2e9 <= span.duration_ns < 60e9


@pytest.mark.slow
def test_cpu_time_is_that_of_the_handler(reporter: RecordingReporter) -> None:
    with site(reporter) as port, open_socket(port, "/burn") as client:
        # By its own clock: a machine that stands still for a while stretches what it burns.
        burnt = sum(float(client.recv(timeout=5)) for _ in range(2))
        row = only_row(reporter)
    assert row.cpu_s is not None
    assert 0.08 <= burnt <= row.cpu_s <= burnt + 0.04


@pytest.mark.slow
def test_a_handler_that_holds_the_loop_is_named_while_it_is_open(
    reporter: RecordingReporter,
) -> None:
    with site(reporter) as port, open_socket(port, "/hold") as client, open_socket(port, "/echo"):
        client.send("go")
        client.recv(timeout=5)
        client.send("on")
        assert until(reporter, lambda seen: any(row.blocked for row in seen.websockets))
        held = {row.key.route: row.blocked.sum for row in reporter.websockets if row.blocked}
    # Where the machine itself stands still for a while, the others are held up too.
    assert max(held, key=held.__getitem__) == "/hold"
    assert 0.15 <= held["/hold"] < 5


def test_paths_without_a_route_share_a_row_and_are_told_apart(
    reporter: RecordingReporter,
) -> None:
    with site(reporter) as port:
        for number in range(3):
            visit(port, f"/nothing/{number}")
        assert until(reporter, lambda seen: total(seen, "connections") == 3)
    (row,) = reporter.websockets
    assert (row.key.route, row.key.func) == (None, None)
    assert {one.path for one in reporter.snapshot.unmatched} == {f"/nothing/{n}" for n in range(3)}


def test_many_connections_at_a_time_are_counted_exactly(reporter: RecordingReporter) -> None:
    with site(reporter) as port:
        with ExitStack() as clients:
            opened = [clients.enter_context(open_socket(port, "/echo")) for _ in range(20)]
            assert until(reporter, lambda seen: total(seen, "in_flight") == 20)
            for client in opened:
                client.send("x")
            for client in opened:
                client.recv(timeout=5)
            assert until(reporter, lambda seen: total(seen, "messages_sent") == 20)
            assert total(reporter, "messages_received") == 20
        assert until(reporter, lambda seen: total(seen, "connections") == 20)
    (row,) = reporter.websockets
    assert (row.in_flight, row.messages_received, row.messages_sent) == (0, 20, 20)
