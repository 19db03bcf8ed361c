"""Which request is being served here: by the current span, or alone where there are no spans."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, cast

from wf_instrument.tracing.active import ACTIVE

if TYPE_CHECKING:
    from wf_instrument.web.request import RequestRecord

__all__ = ["SPANLESS", "asgi_drivers", "current_request"]

#: The request being served, set only for one without a span: one variable set is enough.
SPANLESS: Final[ContextVar[RequestRecord | None]] = ContextVar(
    "wf_instrument.request", default=None
)


#: Holds something once the process has an ASGI driver, within which WSGI ones may be called.
asgi_drivers: Final[list[bool]] = []


def current_request() -> RequestRecord | None:
    """Return the request that the calling thread or task serves; None outside of one.

    Also in threads and tasks that the request started, until it has ended.
    """
    span = ACTIVE.get()
    record = None if span is None else cast("RequestRecord | None", span.served_request)
    if record is None:
        # Also within a span that the application makes in a request without one.
        record = SPANLESS.get()
    return None if record is None or record.is_finished else record
