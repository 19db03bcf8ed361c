"""FastAPI's corners of the contract suite: its own routes, and Starlette's for the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse, Response
from wf_instrument.integrations.fastapi import TelemetryMiddleware, instrument_app

from contract_site import Record

from .asgi_layers import AnswerEarly, LimitTime, failing_lifespan
from .starlette_corners import RECORDS, mounts, to_conflict, views

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FastApiSite"]


def _sync_value() -> Iterator[int]:
    yield 7


async def home() -> str:
    return "home"


async def item(number: int) -> dict[str, int]:
    return {"number": number}


async def style(id: str) -> str:  # noqa: A002 - as in the documentation's example
    return id


async def redirect() -> Response:
    return RedirectResponse("/", 302)


async def boom() -> str:
    raise ValueError("no shirts")


async def handled() -> str:
    raise KeyError("handled")


async def teapot() -> str:
    raise HTTPException(418)


def sync_view() -> str:
    return "sync"


async def depends(value: int = Depends(_sync_value)) -> int:
    return value


async def background(tasks: BackgroundTasks) -> str:
    tasks.add_task(int)
    return "soon"


def _routers() -> Iterator[APIRouter]:
    tenant = APIRouter(prefix="/mounted/{tenant}")
    tenant.add_api_route("/item/{number}", item)
    yield tenant
    cart = APIRouter(prefix="/cart")
    cart.add_api_route("/item/{number}", item)
    shop = APIRouter()
    shop.include_router(cart)
    outer = APIRouter(prefix="/shop")
    outer.include_router(shop)
    yield outer


_ITEM: Final = Record(route="/item/{number}", func="item")
_STYLE: Final = Record(route="/style/{id:path}/make", func="style")


class FastApiSite:
    """See `contract_site.Site`.

    Args:
        options: Of the application.
    """

    name = framework = "fastapi"
    interface: Literal["asgi"] = "asgi"
    records: Final[Mapping[str, Record]] = {
        **RECORDS,
        "template": _ITEM,
        "method not allowed": replace(_ITEM, method="DELETE", status=405, outcome="client_error"),
        "unknown method": replace(_ITEM, method="_OTHER", status=405, outcome="client_error"),
        "options": replace(_ITEM, method="OPTIONS", status=405, outcome="client_error"),
        "upload nobody reads": replace(_ITEM, method="POST", status=405, outcome="client_error"),
        "invalid input": replace(_ITEM, status=422, outcome="client_error"),
        "sync dependency": Record(route="/depends", func="depends"),
        "mounted": Record(route="/mounted/{tenant}/item/{number}", func="item"),
        "nested": Record(route="/shop/cart/item/{number}", func="item"),
        "forged trace headers": _ITEM,
        "10 kB header": _ITEM,
        "duplicate headers": _ITEM,
        "sub-application": Record(route="/sub/{tenant}/item/{number}", func="item"),
    }

    def __init__(self, **options: Any) -> None:
        self._options = options

    def make_app(self, *, fails_to_start: bool = False) -> Any:
        """Return a new application."""
        app = FastAPI(
            middleware=[Middleware(AnswerEarly), Middleware(LimitTime)],
            exception_handlers={KeyError: to_conflict},
            lifespan=failing_lifespan if fails_to_start else None,
            **self._options,
        )
        for path, view in (
            ("/", home),
            ("/item/{number}", item),
            ("/style/{id:path}/make", style),
            ("/redirect", redirect),
            ("/boom", boom),
            ("/handled", handled),
            ("/teapot", teapot),
            ("/sync", sync_view),
            ("/depends", depends),
            ("/background", background),
        ):
            app.add_api_route(path, view)
        for router in _routers():
            app.include_router(router)
        sub = FastAPI()
        sub.add_api_route("/item/{number}", item)
        app.mount("/sub/{tenant}", sub)
        app.router.routes += [*views(), *mounts()]
        return app

    def instrument(self, app: Any, **settings: object) -> Any:
        """Instrument it the usual way."""
        return instrument_app(app, **settings)

    def wrap(self, app: Any, **settings: object) -> Any:
        """Add the middleware to its stack."""
        app.add_middleware(TelemetryMiddleware, **settings)
        return app
