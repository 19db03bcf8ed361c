"""A Starlette application with the middleware added: run it, visit it, and look.

pip install 'wf-instrument[starlette,dashboard]'
uvicorn --app-dir sample_apps middleware_starlette:app --port 8080 &
curl http://127.0.0.1:8080/style/x-1/make
wf-instrument ui ~/.local/state/wf-instrument/styling.db
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from wf_instrument.integrations.starlette import TelemetryMiddleware

if TYPE_CHECKING:
    from starlette.requests import Request


async def make_shirts(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"Shirts {request.path_params['id']} made.\n")


def stock(request: Request) -> PlainTextResponse:
    return PlainTextResponse("3\n")


app = Starlette(
    routes=[
        Route("/style/{id:path}/make", make_shirts),
        Mount("/{shop}", routes=[Route("/stock", stock)]),
    ],
    middleware=[Middleware(TelemetryMiddleware, application="Ordering", service="styling")],
)
