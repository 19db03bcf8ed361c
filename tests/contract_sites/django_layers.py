"""Django middlewares of the contract suite."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpResponse
from django.utils.decorators import async_only_middleware, sync_and_async_middleware

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["limit_time", "site_urls", "to_conflict"]


def _early(request: Any) -> HttpResponse | None:
    # Whoever asks: Django's own tests have another configuration of URLs.
    request.urlconf = "contract_sites.django_corners"
    return HttpResponse("who are you?", status=401) if request.path == "/early" else None


@sync_and_async_middleware
def site_urls(get_response: Callable[[Any], Any]) -> Any:
    """Have requests resolved by the site's URLs, and let nobody see `/early`."""
    if iscoroutinefunction(get_response):

        async def passed_async(request: Any) -> Any:
            return _early(request) or await get_response(request)

        return passed_async

    def passed(request: Any) -> Any:
        return _early(request) or get_response(request)

    return passed


@sync_and_async_middleware
def to_conflict(get_response: Callable[[Any], Any]) -> Any:
    """Answer for views that raise KeyError."""
    if iscoroutinefunction(get_response):

        async def passed_async(request: Any) -> Any:
            return await get_response(request)

        passed_async.process_exception = _conflict  # type: ignore[attr-defined]  # as Django asks
        return passed_async

    def passed(request: Any) -> Any:
        return get_response(request)

    passed.process_exception = _conflict  # type: ignore[attr-defined]  # as Django asks
    return passed


def _conflict(request: Any, exception: Exception) -> HttpResponse | None:
    return HttpResponse("conflict", status=409) if isinstance(exception, KeyError) else None


@async_only_middleware
def limit_time(get_response: Callable[[Any], Any]) -> Any:
    """Give `/hangs` a twentieth of a second."""

    async def passed(request: Any) -> Any:
        if request.path != "/hangs":
            return await get_response(request)
        try:
            return await asyncio.wait_for(get_response(request), 0.05)
        except asyncio.TimeoutError:
            return HttpResponse("too slow", status=504)

    return passed
