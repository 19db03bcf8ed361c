"""Quart's corners of the contract suite."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, Literal

import quart
from wf_instrument.integrations.asgi import TelemetryMiddleware
from wf_instrument.integrations.quart import instrument_app

from contract_site import Record

from . import bodies

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["QuartSite"]

_VERSION: Final = tuple(map(int, version("quart").split(".")[:2]))
#: Newer versions raise the group of their task group.
_BROKEN: Final = "OSError" if _VERSION < (0, 23) else "ExceptionGroup"

_NOT_FOUND: Final = Record(status=404, outcome="client_error")
_NOT_ALLOWED: Final = Record(status=405, outcome="client_error")
_ITEM: Final = Record(route="/item/<int:number>", func="item")
_STYLE: Final = Record(route="/style/<path:id>/make", func="style")
_STATIC_FILE: Final = Record(route="/static/<path:filename>", func="static")


class QuartSite:
    """See `contract_site.Site`.

    Nobody cancels it: Quart would leave the task of the view running for ever.
    """

    name = framework = "quart"
    interface: Literal["asgi"] = "asgi"
    records: Final[Mapping[str, Record]] = {
        "plain": Record(route="/", func="home"),
        "query": Record(route="/", func="home"),
        "template": _ITEM,
        "path template": _STYLE,
        "not found": _NOT_FOUND,
        "not found below a mount": _NOT_FOUND,
        "method not allowed": replace(_NOT_ALLOWED, method="DELETE"),
        "unknown method": replace(_NOT_ALLOWED, method="_OTHER"),
        "options": replace(_ITEM, method="OPTIONS"),
        "redirect": Record(route="/redirect", func="redirect", status=302),
        "slash redirect": Record(status=308),
        "no content": Record(route="/no-content", func="no_content", status=204),
        "head": Record(route="/", func="home", method="HEAD"),
        "head of a stream": Record(route="/stream", func="stream", method="HEAD"),
        "upload": Record(route="/upload", func="upload", method="POST", received=1000),
        "chunked upload": Record(route="/upload", func="upload", method="POST", received=1000),
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
        "invalid input": _NOT_FOUND,
        "stream": Record(route="/stream", func="stream"),
        "stream of known length": Record(route="/known-length", func="known_length"),
        "empty stream": Record(route="/empty-stream", func="empty_stream"),
        "stream that raises": Record(
            route="/broken-stream", func="broken_stream", outcome="aborted_stream", error=_BROKEN
        ),
        "file": Record(route="/file", func="file"),
        "range of a file": Record(route="/file", func="file", status=206),
        "background task": Record(route="/background", func="background"),
        "mounted": Record(route="/mounted/<tenant>/item/<int:number>", func="mounted.item"),
        "nested": Record(route="/shop/cart/item/<int:number>", func="shop.cart.item"),
        "static file": _STATIC_FILE,
        "static file that is fresh": replace(_STATIC_FILE, status=304),
        "static file that is missing": replace(_STATIC_FILE, status=404, outcome="client_error"),
        "async view": Record(route="/async", func="async_view"),
        "sync view": Record(route="/sync", func="sync_view"),
        "long path": _NOT_FOUND,
        "encoded path": _STYLE,
        "non-ASCII path": _STYLE,
        "path that is not UTF-8": _STYLE,
        "control characters in the path": _STYLE,
        "new line in the path": _NOT_FOUND,
        "dots in the path": _NOT_FOUND,
        "forged trace headers": _ITEM,
        "10 kB header": _ITEM,
        "duplicate headers": _ITEM,
        # With tests of their own:
        "left in the stream": Record(route="/endless", func="endless", outcome="client_disconnect"),
        # Quart cancels the view.
        "left before the answer": Record(
            route="/waits", func="waits", status=499, outcome="client_disconnect"
        ),
        "slow stream": Record(route="/slow-stream", func="slow_stream"),
        "sizes": Record(route="/sized/<int:size>", func="of_size"),
        "start-up fails": Record(),
        "many routes": Record(route="/many/0", func="many0"),
    }

    def make_app(self, *, fails_to_start: bool = False) -> Any:
        """Return a new application."""
        app = quart.Quart("site", static_folder=str(bodies.STATIC), static_url_path="/static")
        # A file that expires would do so a second later in the next answer.
        app.config["SEND_FILE_MAX_AGE_DEFAULT"] = None
        _add_answers(app)
        _add_failures(app)
        _add_streams(app)
        _add_blueprints(app)
        for number in range(20):
            app.add_url_rule(f"/many/{number}", f"many{number}", _home)
        if fails_to_start:

            @app.before_serving
            async def connect() -> None:
                raise OSError("no database")

        return app

    def instrument(self, app: Any, **settings: object) -> Any:
        """Instrument it the usual way."""
        return instrument_app(app, **settings)

    def wrap(self, app: Any, **settings: object) -> Any:
        """Have a middleware outside of Quart's own instrumentation."""
        app.asgi_app = TelemetryMiddleware(app.asgi_app, **settings)
        return app


async def _home() -> str:
    return "home"


async def _item(number: int, tenant: str = "") -> str:
    return f"{tenant} {number}"


def _add_answers(app: quart.Quart) -> None:
    app.add_url_rule("/", "home", _home)
    app.add_url_rule("/item/<int:number>", "item", _item)
    app.add_url_rule("/style/<path:id>/make", "style", lambda id: repr(id))  # noqa: A006 - as documented
    app.add_url_rule("/redirect", "redirect", lambda: quart.redirect("/"))
    app.add_url_rule("/slash/", "slash", _home)
    app.add_url_rule("/no-content", "no_content", lambda: ("", 204))
    app.add_url_rule("/sized/<int:size>", "of_size", lambda size: b"x" * size)
    app.add_url_rule("/sync", "sync_view", lambda: "sync")
    app.add_url_rule("/async", "async_view", _home)
    app.add_url_rule("/early", "early", _home)

    @app.route("/file")
    async def file() -> Any:
        return await quart.send_file(bodies.STATIC / "style.css", conditional=True)

    @app.post("/upload")
    async def upload() -> str:
        return str(len(await quart.request.get_data()))

    @app.before_request
    async def answer_early() -> tuple[str, int] | None:
        return ("who are you?", 401) if quart.request.path == "/early" else None

    @app.route("/background")
    async def background() -> str:
        app.add_background_task(asyncio.sleep, 0.002)
        return "soon"


def _add_failures(app: quart.Quart) -> None:
    @app.route("/boom")
    async def boom() -> str:
        raise ValueError("no shirts")

    @app.route("/handled")
    async def handled() -> str:
        raise KeyError("handled")

    @app.errorhandler(KeyError)
    async def to_conflict(error: KeyError) -> tuple[str, int]:
        return "conflict", 409

    @app.route("/teapot")
    async def teapot() -> str:
        quart.abort(418)

    @app.route("/waits")
    async def waits() -> str:
        await asyncio.sleep(3600)
        return "never"


def _add_streams(app: quart.Quart) -> None:
    def add(path: str, name: str, parts: Any, **headers: str) -> None:
        async def streamed(**arguments: Any) -> quart.Response:
            return quart.Response(parts(**arguments), mimetype="text/plain", headers=headers)

        app.add_url_rule(path, name, streamed)

    add("/stream", "stream", bodies.lines)
    add("/known-length", "known_length", bodies.lines, **{"Content-Length": "35"})
    add("/empty-stream", "empty_stream", lambda: iter(()))
    add("/broken-stream", "broken_stream", bodies.broken)
    add("/slow-stream", "slow_stream", bodies.slow)
    add("/endless", "endless", bodies.endless)
    add("/chunked/<int:size>", "chunked", lambda size: (b"x" * (size // 5) for _ in range(5)))


def _add_blueprints(app: quart.Quart) -> None:
    mounted = quart.Blueprint("mounted", __name__, url_prefix="/mounted/<tenant>")
    mounted.add_url_rule("/item/<int:number>", "item", _item)
    app.register_blueprint(mounted)
    shop = quart.Blueprint("shop", __name__, url_prefix="/shop")
    cart = quart.Blueprint("cart", __name__, url_prefix="/cart")
    cart.add_url_rule("/item/<int:number>", "item", _item)
    shop.register_blueprint(cart)
    app.register_blueprint(shop)
