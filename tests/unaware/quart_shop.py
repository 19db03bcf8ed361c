"""A Quart application that does not know the library."""

from __future__ import annotations

import quart

app = quart.Quart(__name__)


@app.get("/items/<int:number>")
async def item(number: int) -> str:
    return f"item {number}"


@app.post("/items")
def add() -> tuple[str, int]:
    return "added", 201


@app.get("/boom")
async def boom() -> str:
    raise RuntimeError("on purpose")
