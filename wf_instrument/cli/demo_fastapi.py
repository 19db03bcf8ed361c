"""The demo's application as an asynchronous one, on FastAPI: the shop of `demo_flask.py`."""

from __future__ import annotations

import asyncio
import hashlib
import random
from typing import TYPE_CHECKING

# At run time: FastAPI reads the annotations of views.
from fastapi import APIRouter, BackgroundTasks, FastAPI, Request
from fastapi.responses import PlainTextResponse, StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["make_app"]


def make_app() -> FastAPI:
    """Return the application, not yet instrumented."""
    app = FastAPI(title="wf_instrument_demo")
    styles = APIRouter()
    rolls = random.Random(7)

    @app.get("/", response_class=PlainTextResponse)
    async def home() -> str:
        return "Welcome to the shop.\n"

    @styles.get("/{number}")
    async def style(number: int) -> dict[str, object]:
        return {"style": number, "colors": ["red", "blue"]}

    @app.get("/search", response_class=PlainTextResponse)
    async def search() -> str:
        # Waits as for a database: time passes, hardly any of it on the CPU.
        await asyncio.sleep(rolls.lognormvariate(-3.6, 0.5))
        return "3 shirts found\n"

    # Not async: FastAPI runs it in a thread of its pool.
    @app.get("/reports/{name}", response_class=PlainTextResponse)
    def report(name: str) -> str:
        digest = hashlib.pbkdf2_hmac("sha256", name.encode(), b"demo", 12_000)
        return digest.hex()

    @app.get("/export.csv")
    async def export() -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            for number in range(20):
                await asyncio.sleep(0.001)
                yield f"{number},shirt,{number * 9.9:.2f}\n"

        return StreamingResponse(lines(), media_type="text/csv")

    @app.post("/orders", status_code=201)
    async def order(request: Request, tasks: BackgroundTasks) -> dict[str, int]:
        # Read before anything fails: of a connection that is closed on what was not read, the
        # visitor may lose the answer as well.
        items = len(await request.body())
        if rolls.random() < 0.08:
            raise ConnectionError("payment service did not answer")
        # Told to the warehouse after the answer: in no latency.
        tasks.add_task(asyncio.sleep, 0.02)
        return {"items": items}

    app.include_router(styles, prefix="/styles")
    return app
