"""A Flask application with a view for every way a request can go, and a way to serve it."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.test import TestResponse


class ReadingClient(FlaskClient):
    """Reads a response to its end, as a server does, unless told otherwise."""

    def open(self, *args: object, **kwargs: object) -> TestResponse:
        kwargs.setdefault("buffered", True)
        return super().open(*args, **kwargs)  # type: ignore[arg-type]  # passed on


def empty_site(name: str) -> flask.Flask:
    app = flask.Flask(name)
    app.test_client_class = ReadingClient
    return app


def make_site() -> flask.Flask:
    app = empty_site("site")

    @app.route("/")
    def home() -> str:
        return "home"

    @app.route("/style/<path:id>/make")
    def make_shirts(id: str) -> str:  # noqa: A002 - as in the documentation's example
        return f"Shirts {id} made."

    @app.route("/boom")
    def boom() -> str:
        raise ValueError("no shirts")

    @app.route("/handled")
    def handled() -> str:
        raise KeyError("handled")

    @app.errorhandler(KeyError)
    def to_conflict(error: KeyError) -> tuple[str, int]:
        return "conflict", 409

    @app.route("/stream")
    def stream() -> flask.Response:
        return flask.Response((f"line {i}\n" for i in range(5)), mimetype="text/plain")

    @app.route("/broken-stream")
    def broken_stream() -> flask.Response:
        def lines() -> Iterator[str]:
            yield "first\n"
            raise OSError("disk gone")

        return flask.Response(lines(), mimetype="text/plain")

    @app.route("/redirect")
    def redirect() -> flask.Response:
        return flask.redirect("/")  # type: ignore[return-value]  # a werkzeug Response

    @app.route("/upload", methods=["POST"])
    def upload() -> str:
        return str(len(flask.request.get_data()))

    @app.route("/file")
    def file() -> flask.Response:
        return flask.send_file(__file__)

    @app.route("/only-get")
    def only_get() -> str:
        return "got"

    @app.route("/async")
    async def async_view() -> str:
        begun = time.thread_time()
        sum(i * i for i in range(300_000))
        return repr(time.thread_time() - begun)

    blueprint = flask.Blueprint("shop", __name__, url_prefix="/shop")

    @blueprint.route("/item/<int:number>")
    def item(number: int) -> str:
        return str(number)

    app.register_blueprint(blueprint)
    return app


@contextmanager
def served(app: flask.Flask) -> Iterator[int]:
    """Serve the application on a free port of 127.0.0.1 and yield the port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    # Waited for when it closes: a client has its answer before the request has ended.
    server.daemon_threads = False  # type: ignore[attr-defined]  # of the threaded kind
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fetch(
    port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers without Date, and body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(
            method, path, body, {name.replace("_", "-"): text for name, text in headers.items()}
        )
        response = connection.getresponse()
        data = response.read()
        headers = [pair for pair in response.getheaders() if pair[0].lower() != "date"]
        return response.status, headers, data
    finally:
        connection.close()


def fetch_and_hang_up(port: int, path: str) -> None:
    """Send a request and reset the connection after the first bytes of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        connection.recv(1)
