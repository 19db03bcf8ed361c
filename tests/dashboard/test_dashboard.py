"""The page over real HTTP: who may see it, what it tells, and that it stays live."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPResponse
from typing import TYPE_CHECKING

import pytest

from samples import request_row, snapshot, span, websocket_row
from wf_instrument.backends.local import LocalReporter
from wf_instrument.dashboard import DashboardServer
from wf_instrument.errors import ConfigError
from wf_instrument.reporting.snapshot import WebSocketEnd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = "/<script>alert(1)</script>"


@pytest.fixture
def reporter(tmp_path: Path) -> Iterator[LocalReporter]:
    made = LocalReporter(tmp_path / "state" / "store.db")
    made.report(
        snapshot(
            requests=[request_row(HOSTILE, 200, [0.01] * 5), request_row("/a", 500, [0.2])],
            spans=[span("slow", 0xABC, duration_ms=500)],
        )
    )
    assert made.flush(5)
    yield made
    made.close(5)


@pytest.fixture
def server(reporter: LocalReporter) -> Iterator[DashboardServer]:
    made = DashboardServer(reporter.path)
    made.start()
    yield made
    made.stop(5)


def ask(
    server: DashboardServer, path: str, method: str = "GET", **headers: str
) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def test_the_state_tells_rate_errors_and_duration_per_route(server: DashboardServer) -> None:
    response, body = ask(server, "/api/state?window=15m")
    state = json.loads(body)
    assert response.status == 200
    assert {row["route"]: row["requests"] for row in state["routes"]} == {HOSTILE: 5, "/a": 1}
    assert state["error_share"] == pytest.approx(1 / 6)
    assert sum(point[1] for point in state["timeline"]) == 6
    assert state["slowest"][0]["duration_ms"] == 500


def test_the_charts_can_be_of_one_route(server: DashboardServer) -> None:
    _, body = ask(server, "/api/state?window=15m&method=GET&route=/a")
    assert sum(point[1] for point in json.loads(body)["timeline"]) == 1


def test_a_trace_is_told_with_its_tags_and_a_wrong_id_is_not_found(
    server: DashboardServer,
) -> None:
    _, body = ask(server, f"/api/trace/{0xABC:032x}")
    (found,) = json.loads(body)["spans"]
    assert ["http.method", "GET"] in found["tags"]
    assert ask(server, f"/api/trace/{0xDEF:032x}")[0].status == 404
    assert ask(server, "/api/trace/../../etc")[0].status == 404


def test_the_page_and_its_files_are_served_with_a_strict_policy(server: DashboardServer) -> None:
    for path, kind in (
        ("/", "text/html"),
        ("/static/app.js", "javascript"),
        ("/static/style.css", "text/css"),
        ("/plotly.js", "javascript"),
    ):
        response, body = ask(server, path)
        assert response.status == 200
        assert kind in response.headers["Content-Type"]
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert body
    _, page = ask(server, "/")
    assert b"<script>" not in page
    assert HOSTILE.encode() not in page


def test_another_host_or_origin_is_refused(server: DashboardServer) -> None:
    assert ask(server, "/", Host="evil.example")[0].status == 421
    assert ask(server, "/api/state", Host=f"evil.example:{server.port}")[0].status == 421
    assert ask(server, "/api/state", Origin="http://evil.example")[0].status == 403
    assert ask(server, "/api/state", Origin="null")[0].status == 403
    assert ask(server, "/", Host=f"localhost:{server.port}")[0].status == 200
    own = f"http://127.0.0.1:{server.port}"
    assert ask(server, "/api/state", Origin=own)[0].status == 200


def test_writing_methods_unknown_paths_and_ways_out_of_the_folder_are_refused(
    server: DashboardServer,
) -> None:
    assert ask(server, "/api/state", "POST")[0].status == 405
    assert ask(server, "/nothing")[0].status == 404
    for path in ("/static/../server.py", "/static/%2e%2e/server.py", "/static//etc/passwd"):
        assert ask(server, path)[0].status == 404


def test_a_token_is_demanded_where_one_is_set(reporter: LocalReporter) -> None:
    with pytest.raises(ConfigError, match="give a token"):
        DashboardServer(reporter.path, host="0.0.0.0")
    server = DashboardServer(reporter.path, token="correct horse")
    server.start()
    try:
        assert ask(server, "/")[0].status == 401
        assert ask(server, "/api/state", Authorization="Bearer wrong")[0].status == 401
        right = ask(server, "/api/state", Authorization="Bearer correct horse")[0]
        assert right.status == 200
        opened, _ = ask(server, "/?token=correct%20horse")
        cookie = opened.headers["Set-Cookie"]
        assert opened.status == 200
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert ask(server, "/api/state", Cookie=cookie.split(";")[0])[0].status == 200
    finally:
        server.stop(5)


@pytest.mark.slow
def test_the_live_stream_tells_what_is_written_later(
    server: DashboardServer, reporter: LocalReporter
) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/api/live?window=15m")
    stream = connection.getresponse()
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    first = next_event(stream)
    assert first["requests"] == 6
    reporter.report(snapshot(requests=[request_row("/new", 200, [0.01])]))
    assert reporter.flush(5)
    while "/new" not in {row["route"] for row in next_event(stream)["routes"]}:
        pass  # an event may come between the rows and the checkpoint; the read has a time-out
    connection.close()


def next_event(stream: HTTPResponse) -> dict:  # type: ignore[type-arg]  # any JSON object
    while True:
        line = stream.readline().decode()
        assert line, "the stream ended"
        if line.startswith("data: "):
            return json.loads(line.removeprefix("data: "))


def test_the_server_ends_while_somebody_listens(reporter: LocalReporter) -> None:
    server = DashboardServer(reporter.path)
    server.start()
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/api/live")
    stream = connection.getresponse()
    next_event(stream)
    server.stop(10)
    assert stream.read() is not None
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        ask(server, "/")


def test_a_port_that_is_taken_is_told(server: DashboardServer, reporter: LocalReporter) -> None:
    with pytest.raises(ConfigError, match="choose another --port"):
        DashboardServer(reporter.path, port=server.port)


def test_the_state_tells_websockets_by_route(
    reporter: LocalReporter, server: DashboardServer
) -> None:
    row = websocket_row(HOSTILE, WebSocketEnd(101), WebSocketEnd(500, "server_error"), in_flight=4)
    reporter.report(snapshot(websockets=[row]))
    assert reporter.flush(5)
    (shown,) = json.loads(ask(server, "/api/state?window=15m")[1])["websockets"]
    assert (shown["route"], shown["in_flight"], shown["connections"]) == (HOSTILE, 4, 2)
    assert (shown["errors"], shown["received"], shown["sent"]) == (1, 4, 6)
    assert (shown["p50_ms"], shown["statuses"]) == (2000.0, [[101, 1], [500, 1]])
