"""Sync views that a framework runs in anyio's worker threads: their CPU time is the request's.

Loaded only where anyio is, by the integrations of the frameworks that stand on it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread

from wf_instrument.guard import caught
from wf_instrument.web.asgi import AsgiRequest
from wf_instrument.web.current import current_request
from wf_instrument.web.steps import charged

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["meter_worker_threads"]

_METERED: Final = "_wf_instrument_metered"


def meter_worker_threads() -> None:
    """Charge the CPU time of `anyio.to_thread.run_sync` to the request that calls it.

    Harmless when called again, and without effect outside of requests.
    """
    original = anyio.to_thread.run_sync
    if hasattr(original, _METERED):
        return

    @functools.wraps(original)
    def run_sync(func: Callable[..., Any], *args: Any, **options: Any) -> Any:
        try:
            request = current_request()
            if isinstance(request, AsgiRequest) and request.recorder.cpu_clock is not None:
                func = charged(func, request)
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("asgi.worker_thread", error)
        return original(func, *args, **options)

    setattr(run_sync, _METERED, True)
    anyio.to_thread.run_sync = run_sync  # type: ignore[assignment]  # looked up at each call
