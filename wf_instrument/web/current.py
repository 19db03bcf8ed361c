"""Which request is being served here: by the current span, or alone where there are no spans."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol, cast

from wf_instrument.guard import caught
from wf_instrument.tracing.active import ACTIVE

if TYPE_CHECKING:
    from wf_instrument.web.request import RequestRecord

__all__ = ["SPANLESS", "Held", "Serving", "asgi_drivers", "current_request", "is_serving"]


class Serving(Protocol):
    """What tells which request is being served."""

    @property
    def served_request(self) -> RequestRecord | None:
        """The request; None once that is over."""


class Held:
    """Tells which request is being served, until it lets go.

    Event loops copy the context into every timer, and keep those that were cancelled for a while:
    what a context leads to lives as long.
    """

    __slots__ = ("served_request",)

    def __init__(self, request: RequestRecord) -> None:
        self.served_request: RequestRecord | None = request


#: What tells of the request being served, set only for one without a span: one variable set is
#: enough.
SPANLESS: Final[ContextVar[Serving | None]] = ContextVar("wf_instrument.request", default=None)


#: Holds something once the process has an ASGI driver, within which WSGI ones may be called.
asgi_drivers: Final[list[bool]] = []


def is_serving(held: Serving | None) -> bool:
    """Return whether what a context holds still tells of a request.

    What does not is left where it is: each change of a context variable slows down what the
    application reads of its own.
    """
    try:
        request = None if held is None else held.served_request
        return request is not None and not request.is_finished
    except Exception as error:  # noqa: BLE001 - the border to the application
        caught("current.serving", error)
        return False


def current_request() -> RequestRecord | None:
    """Return the request that the calling thread or task serves; None outside of one.

    Also in threads and tasks that the request started, until it has ended.
    """
    span = ACTIVE.get()
    record = None if span is None else cast("RequestRecord | None", span.served_request)
    if record is None:
        # Also within a span that the application makes in a request without one.
        held = SPANLESS.get()
        record = None if held is None else held.served_request
    return None if record is None or record.is_finished else record
