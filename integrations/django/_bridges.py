"""asgiref's bridges between sync and async: what crosses them is charged to its request.

Django crosses them for sync views and middlewares under ASGI, for async ones under WSGI, and in
its asynchronous ORM. Only requests that Django answers are metered; see `is_bridged`.

Threads: what any of them is the first to make for a request is made by `dict.setdefault`, so
    that all share it; see `wf_instrument.web.steps` for how they add to it.
"""

from __future__ import annotations

import functools
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import AsyncToSync, SyncToAsync

from wf_instrument.guard import caught, guard
from wf_instrument.web.asgi import AsgiRequest
from wf_instrument.web.coroutine_meter import metered
from wf_instrument.web.current import current_request
from wf_instrument.web.steps import charged, stepped

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["meter_bridges"]

_METERED: Final = "_wf_instrument_metered"


def meter_bridges() -> None:
    """Charge what asgiref runs in other threads and tasks to the request that asked for it.

    Harmless when called again, and without effect outside of requests.
    """
    # Neither is public; where a version has none, its requests lack that part of their CPU time.
    for kind, name, metering in (
        (SyncToAsync, "thread_handler", _metering_thread),
        (AsyncToSync, "main_wrap", _metering_task),
    ):
        original: Any = vars(kind).get(name)
        if original is not None and not hasattr(original, _METERED):
            wrapped = functools.wraps(original)(metering(original))
            setattr(wrapped, _METERED, True)
            setattr(kind, name, wrapped)


def _metering_thread(original: Callable[..., Any]) -> Callable[..., Any]:
    def thread_handler(self: Any, *args: Any, **kwargs: Any) -> Any:
        # The last one is the call itself, made in the context of the request.
        if args and callable(args[-1]):
            args = (*args[:-1], functools.partial(_charged, args[-1]))
        return original(self, *args, **kwargs)

    return thread_handler


def _charged(call: Callable[..., Any], *args: Any) -> Any:
    request = _bridged_request()
    if request is not None and request.thread_id != get_ident():
        with guard("django.bridge"):
            # Not left to `charged`: several threads of a request may be here at the same time.
            request.settle("thread_cpu_ns", [])
            request.settle("thread_marks", {})
            call = charged(call, request)
    return call(*args)


def _metering_task(original: Callable[..., Any]) -> Callable[..., Any]:
    def main_wrap(self: Any, *args: Any, **kwargs: Any) -> Any:
        coroutine = original(self, *args, **kwargs)
        # Asked here, in the thread that will wait: the task is not in its context yet.
        request = _bridged_request()
        return coroutine if request is None else _driven(coroutine, request)

    return main_wrap


async def _driven(coroutine: Any, request: Any) -> Any:
    if not isinstance(request, AsgiRequest) or request.thread_id != get_ident():
        # A loop of its own: older versions of asgiref make one even under ASGI.
        return await metered(coroutine, request)
    if request.is_stepping:
        return await coroutine
    return await stepped(coroutine, request)


def _bridged_request() -> Any:
    """Return the request that is served here, if what it runs elsewhere is to be metered."""
    try:
        request = current_request()
        if request is not None and request.is_bridged and request.recorder.cpu_clock is not None:
            return request
    except Exception as error:  # noqa: BLE001 - the border to the application
        caught("django.bridge", error)
    return None
