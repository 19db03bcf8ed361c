"""Every site there is: a framework is added to the contract suite by a line here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from starlette.middleware import Middleware

from contract_site import Record

from .asgi_corners import AsgiSite
from .django_corners import DjangoSite
from .flask_corners import FlaskSite
from .starlette_corners import VERSION, OwnTask, StarletteSite
from .wsgi_corners import WsgiSite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract_site import Site

__all__ = ["SITES"]

#: An exception that became a response in another task is not seen by whoever passes that on.
_IN_OWN_TASK: Final = {
    "timeout in a middleware": Record(
        route="/hangs", func="hangs", status=504, outcome="server_error"
    ),
}


def _can_import(framework: str) -> bool:
    # Not every environment has each, and an old release of one may be too old for another.
    try:
        import_module(framework)
    except ImportError:
        return False
    return True


def _sites() -> Iterator[Site]:
    yield WsgiSite()
    yield FlaskSite()
    yield AsgiSite()
    yield StarletteSite()
    own_task = StarletteSite("starlette-own-task", (Middleware(OwnTask),), **_IN_OWN_TASK)
    if VERSION < (0, 39):
        # It depends on the time whether its middleware receives a body that nobody reads.
        own_task.records.pop("upload nobody reads")
    yield own_task
    if _can_import("fastapi"):
        from .fastapi_corners import FastApiSite

        yield FastApiSite()
    yield DjangoSite("wsgi")
    yield DjangoSite("asgi")
    if _can_import("quart"):
        from .quart_corners import QuartSite

        yield QuartSite()
    if _can_import("litestar"):
        from .litestar_corners import LitestarSite

        yield LitestarSite()


SITES: Final[tuple[Site, ...]] = tuple(_sites())
