"""A Starlette application that does not know the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request


async def item(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"item {request.path_params['number']}")


def add(request: Request) -> PlainTextResponse:
    return PlainTextResponse("added", 201)


async def boom(request: Request) -> PlainTextResponse:
    raise RuntimeError("on purpose")


app = Starlette(
    routes=[
        Route("/items/{number:int}", item),
        Route("/items", add, methods=["POST"]),
        Route("/boom", boom),
    ]
)
