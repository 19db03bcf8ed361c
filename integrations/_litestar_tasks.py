"""Work that Litestar moves out of the request's own task: its CPU time is the request's.

Sync handlers in threads, streamed bodies, and dependencies that are resolved side by side.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.guard import caught, guard
from wf_instrument.web.asgi import AsgiRequest
from wf_instrument.web.current import current_request
from wf_instrument.web.steps import as_coroutine, charged, stepped

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["meter_litestar_tasks"]

_METERED: Final = "_wf_instrument_metered"


def meter_litestar_tasks() -> None:
    """Charge the CPU time of threads and tasks of Litestar to the request that they serve.

    Harmless when called again, and without effect outside of requests. What a version of Litestar
    does not have is left out.
    """
    concurrency = importlib.import_module("litestar.concurrency")
    streaming = importlib.import_module("litestar.response.streaming")
    _replace(concurrency, "_run_sync_asyncio", _in_threads)
    _replace(concurrency, "_run_sync_trio", _in_threads)
    _replace(getattr(streaming, "ASGIStreamingResponse", None), "_stream", _in_tasks)
    try:
        kwargs_model = importlib.import_module("litestar._kwargs.kwargs_model")
    except ImportError:
        return
    _replace(kwargs_model, "resolve_dependency", _in_tasks)


def _replace(owner: Any, name: str, metered: Callable[[Any], Any]) -> None:
    original = getattr(owner, name, None)
    if original is not None and not hasattr(original, _METERED):
        replacement = functools.wraps(original)(metered(original))
        setattr(replacement, _METERED, True)
        setattr(owner, name, replacement)


def _metered_request() -> AsgiRequest | None:
    try:
        request = current_request()
        if isinstance(request, AsgiRequest) and request.recorder.cpu_clock is not None:
            return request
    except Exception as error:  # noqa: BLE001 - the border to the application
        caught("litestar.task", error)
    return None


def _in_threads(original: Any) -> Any:
    def run_sync(function: Any, *args: Any, **kwargs: Any) -> Any:
        request = _metered_request()
        if request is not None:
            with guard("litestar.thread"):
                function = charged(function, request)
        return original(function, *args, **kwargs)

    return run_sync


def _in_tasks(original: Any) -> Any:
    async def run(*args: Any, **kwargs: Any) -> Any:
        request = _metered_request()
        # Where it is stepping already, this was not moved.
        if request is None or request.is_stepping:
            return await original(*args, **kwargs)
        return await stepped(as_coroutine(original(*args, **kwargs)), request)

    return run
