"""A Litestar application that does not know the library."""

from __future__ import annotations

from litestar import Litestar, get, post


@get("/items/{number:int}")
async def item(number: int) -> str:
    return f"item {number}"


@post("/items", sync_to_thread=True)
def add() -> str:
    return "added"


@get("/boom")
async def boom() -> str:
    raise RuntimeError("on purpose")


app = Litestar([item, add, boom])
