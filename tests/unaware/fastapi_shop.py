"""A FastAPI application that does not know the library."""

from __future__ import annotations

from fastapi import FastAPI

app = FastAPI()


@app.get("/items/{number}")
async def item(number: int) -> str:
    return f"item {number}"


@app.post("/items", status_code=201)
def add() -> str:
    return "added"


@app.get("/boom")
async def boom() -> str:
    raise RuntimeError("on purpose")
