"""Flask's corners of the contract suite."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import flask
from wf_instrument.integrations.flask import instrument_app
from wf_instrument.integrations.wsgi import TelemetryMiddleware

from contract_site import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FlaskSite"]

_STATIC: Final = Path(__file__).parent / "static"


class FlaskSite:
    """See `contract_site.Site`."""

    name = framework = "flask"
    interface: Literal["wsgi"] = "wsgi"
    records: Final[Mapping[str, Record]] = {
        "plain": Record(route="/", func="home"),
        "query": Record(route="/", func="home"),
        "template": Record(route="/item/<int:number>", func="item"),
        "path template": Record(route="/style/<path:id>/make", func="style"),
        "not found": Record(status=404, outcome="client_error"),
        "not found below a mount": Record(status=404, outcome="client_error"),
        "method not allowed": Record(method="DELETE", status=405, outcome="client_error"),
        "unknown method": Record(method="_OTHER", status=405, outcome="client_error"),
        "options": Record(route="/item/<int:number>", func="item", method="OPTIONS"),
        "redirect": Record(route="/redirect", func="redirect", status=302),
        "slash redirect": Record(status=308),
        "no content": Record(route="/no-content", func="no_content", status=204),
        "head": Record(route="/", func="home", method="HEAD"),
        "head of a stream": Record(route="/stream", func="stream", method="HEAD"),
        "upload": Record(route="/upload", func="upload", method="POST", received=1000),
        "chunked upload": Record(route="/upload", func="upload", method="POST", received=1000),
        "upload nobody reads": Record(method="POST", status=405, outcome="client_error"),
        "raises": Record(
            route="/boom", func="boom", status=500, outcome="server_error", error="ValueError"
        ),
        "handled exception": Record(
            route="/handled", func="handled", status=409, outcome="client_error"
        ),
        "exception with a status": Record(
            route="/teapot", func="teapot", status=418, outcome="client_error"
        ),
        "early answer": Record(route="/early", func="early", status=401, outcome="client_error"),
        "invalid input": Record(status=404, outcome="client_error"),
        "stream": Record(route="/stream", func="stream"),
        "stream of known length": Record(route="/known-length", func="known_length"),
        "empty stream": Record(route="/empty-stream", func="empty_stream"),
        "stream that raises": Record(
            route="/broken-stream", func="broken_stream", outcome="aborted_stream", error="OSError"
        ),
        "file": Record(route="/file", func="file"),
        "range of a file": Record(route="/file", func="file", status=206),
        "mounted": Record(route="/mounted/<tenant>/item/<int:number>", func="mounted.item"),
        "nested": Record(route="/shop/cart/item/<int:number>", func="shop.cart.item"),
        "static file": Record(route="/static/<path:filename>", func="static"),
        "static file that is fresh": Record(
            route="/static/<path:filename>", func="static", status=304
        ),
        "static file that is missing": Record(
            route="/static/<path:filename>", func="static", status=404, outcome="client_error"
        ),
        "async view": Record(route="/async", func="async_view"),
        "long path": Record(status=404, outcome="client_error"),
        "encoded path": Record(route="/style/<path:id>/make", func="style"),
        "non-ASCII path": Record(route="/style/<path:id>/make", func="style"),
        "path that is not UTF-8": Record(route="/style/<path:id>/make", func="style"),
        "control characters in the path": Record(route="/style/<path:id>/make", func="style"),
        "new line in the path": Record(status=404, outcome="client_error"),
        "dots in the path": Record(status=404, outcome="client_error"),
        "forged trace headers": Record(route="/item/<int:number>", func="item"),
        "10 kB header": Record(route="/item/<int:number>", func="item"),
        "duplicate headers": Record(route="/item/<int:number>", func="item"),
        # With tests of their own:
        "left in the stream": Record(route="/endless", func="endless", outcome="client_disconnect"),
        "slow stream": Record(route="/slow-stream", func="slow_stream"),
        "sizes": Record(route="/sized/<int:size>", func="of_size"),
        "many routes": Record(route="/many/0", func="many0"),
    }

    def make_app(self, *, fails_to_start: bool = False) -> Any:
        """Return a new application."""
        app = flask.Flask("site", static_folder=str(_STATIC), static_url_path="/static")
        _add_answers(app)
        _add_failures(app)
        _add_streams(app)
        _add_blueprints(app)
        for number in range(20):
            app.add_url_rule(f"/many/{number}", f"many{number}", lambda: "many")
        return app

    def instrument(self, app: Any, **settings: object) -> Any:
        """Instrument it the usual way."""
        return instrument_app(app, **settings)

    def wrap(self, app: Any, **settings: object) -> Any:
        """Have a middleware outside and one inside of Flask's own instrumentation."""
        app.wsgi_app = TelemetryMiddleware(app.wsgi_app, **settings)
        return app


def _add_answers(app: flask.Flask) -> None:
    app.add_url_rule("/", "home", lambda: "home")
    app.add_url_rule("/item/<int:number>", "item", lambda number: str(number))
    app.add_url_rule("/style/<path:id>/make", "style", lambda id: repr(id))  # noqa: A006 - as documented
    app.add_url_rule("/redirect", "redirect", lambda: flask.redirect("/"))
    app.add_url_rule("/slash/", "slash", lambda: "slash")
    app.add_url_rule("/no-content", "no_content", lambda: ("", 204))
    app.add_url_rule("/file", "file", lambda: flask.send_file(_STATIC / "style.css"))
    app.add_url_rule("/sized/<int:size>", "of_size", lambda size: b"x" * size)

    @app.post("/upload")
    def upload() -> str:
        return str(len(flask.request.get_data()))

    @app.before_request
    def answer_early() -> tuple[str, int] | None:
        return ("who are you?", 401) if flask.request.path == "/early" else None

    @app.route("/early")
    def early() -> str:
        return "never"

    @app.route("/async")
    async def async_view() -> str:
        return "async"

    @app.after_request
    def sign(response: flask.Response) -> flask.Response:
        response.headers["X-Signed"] = "yes"
        return response


def _add_failures(app: flask.Flask) -> None:
    @app.route("/boom")
    def boom() -> str:
        raise ValueError("no shirts")

    @app.route("/handled")
    def handled() -> str:
        raise KeyError("handled")

    @app.errorhandler(KeyError)
    def to_conflict(error: KeyError) -> tuple[str, int]:
        return "conflict", 409

    @app.route("/teapot")
    def teapot() -> str:
        flask.abort(418)


def _add_streams(app: flask.Flask) -> None:
    def streamed(parts: Iterator[str | bytes], **headers: str) -> flask.Response:
        return flask.Response(parts, mimetype="text/plain", headers=headers)

    @app.route("/stream")
    def stream() -> flask.Response:
        return streamed(f"line {i}\n" for i in range(5))

    @app.route("/known-length")
    def known_length() -> flask.Response:
        return streamed((f"line {i}\n" for i in range(5)), **{"Content-Length": "35"})

    @app.route("/empty-stream")
    def empty_stream() -> flask.Response:
        return streamed(iter(()))

    @app.route("/broken-stream")
    def broken_stream() -> flask.Response:
        def parts() -> Iterator[str]:
            yield "first\n"
            raise OSError("disk gone")

        return streamed(parts())

    @app.route("/slow-stream")
    def slow_stream() -> flask.Response:
        def parts() -> Iterator[bytes]:
            for _ in range(5):
                time.sleep(0.04)
                yield b"x" * 1000

        return streamed(parts())

    @app.route("/endless")
    def endless() -> flask.Response:
        return streamed(b"x" * 65536 for _ in range(100_000))

    @app.route("/chunked/<int:size>")
    def chunked(size: int) -> flask.Response:
        return streamed(b"x" * (size // 5) for _ in range(5))


def _add_blueprints(app: flask.Flask) -> None:
    mounted = flask.Blueprint("mounted", __name__, url_prefix="/mounted/<tenant>")
    mounted.add_url_rule("/item/<int:number>", "item", lambda tenant, number: f"{tenant} {number}")
    app.register_blueprint(mounted)
    shop = flask.Blueprint("shop", __name__, url_prefix="/shop")
    cart = flask.Blueprint("cart", __name__, url_prefix="/cart")
    cart.add_url_rule("/item/<int:number>", "item", lambda number: str(number))
    shop.register_blueprint(cart)
    app.register_blueprint(shop)
