"""Sync code that Quart runs in threads: its CPU time is the request's.

Views and hooks, `run_sync`, and generators and files as bodies all go through one place in Quart:
the copy of the context that they run in.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import quart.utils

from wf_instrument.guard import caught
from wf_instrument.web.asgi import AsgiRequest
from wf_instrument.web.current import current_request
from wf_instrument.web.steps import charged

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

__all__ = ["meter_quart_threads"]

_METERED: Final = "_wf_instrument_metered"


def meter_quart_threads() -> None:
    """Charge the CPU time of sync code to the request that has it run in a thread.

    Harmless when called again, and without effect outside of requests.
    """
    original: Callable[[], Context] | None = getattr(quart.utils, "copy_context", None)
    if original is None or hasattr(original, _METERED):
        return

    @functools.wraps(original)
    def copy_context() -> Any:
        context = original()
        try:
            request = current_request()
            if isinstance(request, AsgiRequest) and request.recorder.cpu_clock is not None:
                return _ChargedContext(context, request)
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("quart.worker_thread", error)
        return context

    setattr(copy_context, _METERED, True)
    quart.utils.copy_context = copy_context  # type: ignore[attr-defined]  # looked up at each call


class _ChargedContext:
    """Runs functions as a context does, and charges their CPU time to a request."""

    def __init__(self, context: Context, request: AsgiRequest) -> None:
        self.run = charged(context.run, request)
