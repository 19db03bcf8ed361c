"""Every site there is: a framework is added to the contract suite by a line here."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from starlette.middleware import Middleware

from contract_site import Record

from .asgi_corners import AsgiSite
from .django_corners import DjangoSite
from .fastapi_corners import FastApiSite
from .flask_corners import FlaskSite
from .quart_corners import QuartSite
from .starlette_corners import OwnTask, StarletteSite
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


def _extras() -> Iterator[Site]:
    # Its dependencies are many: it is not in every environment.
    if find_spec("litestar"):
        from .litestar_corners import LitestarSite

        yield LitestarSite()


SITES: Final[tuple[Site, ...]] = (
    WsgiSite(),
    FlaskSite(),
    AsgiSite(),
    StarletteSite(),
    StarletteSite("starlette-own-task", (Middleware(OwnTask),), **_IN_OWN_TASK),
    FastApiSite(),
    DjangoSite("wsgi"),
    DjangoSite("asgi"),
    QuartSite(),
    *_extras(),
)
