"""Every site there is: a framework is added to the contract suite by a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.middleware import Middleware

from contract_site import Record

from .asgi_corners import AsgiSite
from .fastapi_corners import FastApiSite
from .flask_corners import FlaskSite
from .starlette_corners import OwnTask, StarletteSite
from .wsgi_corners import WsgiSite

if TYPE_CHECKING:
    from contract_site import Site

__all__ = ["SITES"]

#: An exception that became a response in another task is not seen by whoever passes that on.
_IN_OWN_TASK: Final = {
    "timeout in a middleware": Record(
        route="/hangs", func="hangs", status=504, outcome="server_error"
    ),
}

SITES: Final[tuple[Site, ...]] = (
    WsgiSite(),
    FlaskSite(),
    AsgiSite(),
    StarletteSite(),
    StarletteSite("starlette-own-task", (Middleware(OwnTask),), **_IN_OWN_TASK),
    FastApiSite(),
)
