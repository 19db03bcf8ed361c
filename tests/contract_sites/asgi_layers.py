"""Middlewares that the ASGI sites share."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["AnswerEarly", "LimitTime", "answer", "fail_to_start", "failing_lifespan"]


async def answer(send: Any, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    """Send a whole response."""
    length = (b"content-length", str(len(body)).encode())
    head = [length, (b"content-type", b"text/plain"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def fail_to_start(scope: Any, receive: Any, send: Any) -> None:
    """Tell the server that there is no starting."""
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


@asynccontextmanager
async def failing_lifespan(app: Any) -> AsyncIterator[None]:
    """Raise before the application can start."""
    raise OSError("no database")
    yield


class AnswerEarly:
    """Lets nobody see `/early`."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/early"):
            await answer(send, 401, b"who are you?")
        else:
            await self.app(scope, receive, send)


class LimitTime:
    """Gives `/hangs` a twentieth of a second."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].endswith("/hangs"):
            await self.app(scope, receive, send)
            return
        try:
            await asyncio.wait_for(self.app(scope, receive, send), 0.05)
        except asyncio.TimeoutError:
            await answer(send, 504, b"too slow")
