"""A Flask application that does not know the library."""

from __future__ import annotations

import flask

app = flask.Flask(__name__)


@app.get("/items/<int:number>")
def item(number: int) -> str:
    return f"item {number}"


@app.post("/items")
def add() -> tuple[str, int]:
    return "added", 201


@app.get("/boom")
def boom() -> str:
    raise RuntimeError("on purpose")
