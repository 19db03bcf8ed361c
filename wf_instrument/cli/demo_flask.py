"""The demo's application: a shop with fast, slow, busy, streaming and failing routes."""

from __future__ import annotations

import hashlib
import random
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import flask

__all__ = ["make_app"]


def make_app() -> flask.Flask:
    """Return the application, not yet instrumented."""
    import flask

    app = flask.Flask("wf_instrument_demo")
    pause = threading.Event()
    rolls = random.Random(7)

    @app.get("/")
    def home() -> str:
        return "Welcome to the shop.\n"

    @app.get("/styles/<int:number>")
    def style(number: int) -> dict[str, object]:
        return {"style": number, "colors": ["red", "blue"]}

    @app.get("/search")
    def search() -> str:
        # Waits as for a database: time passes, hardly any of it on the CPU.
        pause.wait(rolls.lognormvariate(-3.6, 0.5))
        return "3 shirts found\n"

    @app.get("/reports/<name>")
    def report(name: str) -> str:
        digest = hashlib.pbkdf2_hmac("sha256", name.encode(), b"demo", 12_000)
        return digest.hex()

    @app.get("/export.csv")
    def export() -> flask.Response:
        def lines() -> Iterator[str]:
            for number in range(20):
                pause.wait(0.001)
                yield f"{number},shirt,{number * 9.9:.2f}\n"

        return flask.Response(lines(), mimetype="text/csv")

    @app.post("/orders")
    def order() -> tuple[dict[str, int], int]:
        # Read before anything fails: of a connection that is closed on what was not read, the
        # visitor may lose the answer as well.
        items = len(flask.request.get_data())
        if rolls.random() < 0.08:
            raise ConnectionError("payment service did not answer")
        return {"items": items}, 201

    return app
