"""Django's corners of the contract suite, under WSGI and under ASGI; its own URL configuration."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import django
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler, StaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.exceptions import PermissionDenied
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.test import override_settings
from django.urls import include, path
from django.views.decorators.http import require_http_methods
from wf_instrument.integrations.django import instrument_app

import django_site  # noqa: F401 - it configures Django, once a process
from contract_site import Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

__all__ = ["DjangoSite"]

_STATIC: Final = Path(__file__).parent / "static"
_OURS: Final = "wf_instrument.integrations.django.middleware.TelemetryMiddleware"


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("home")


@require_http_methods(["GET", "HEAD"])
def item(request: HttpRequest, number: int, **_: str) -> HttpResponse:
    return HttpResponse(str(number))


def style(request: HttpRequest, id: str) -> HttpResponse:  # noqa: A002 - as documented
    return HttpResponse(repr(id))


def redirect(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect("/")


def no_content(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=204)


def file(request: HttpRequest) -> HttpResponseBase:
    return FileResponse((_STATIC / "style.css").open("rb"))


def of_size(request: HttpRequest, size: int) -> HttpResponse:
    return HttpResponse("x" * size)


def upload(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


async def async_view(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    return HttpResponse("async")


def boom(request: HttpRequest) -> HttpResponse:
    raise ValueError("no shirts")


def handled(request: HttpRequest) -> HttpResponse:
    raise KeyError("handled")


def teapot(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


async def hangs(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(3600)
    return HttpResponse("never")


def _streamed(request: HttpRequest, parts: Iterator[bytes], pause_s: float = 0) -> HttpResponseBase:
    """Return a stream of the kind that the server can consume bit by bit."""
    if django.VERSION < (4, 2) or not hasattr(request, "scope"):

        def waiting() -> Iterator[bytes]:
            for part in parts:
                time.sleep(pause_s)
                yield part

        return StreamingHttpResponse(waiting())

    async def waiting_async() -> AsyncIterator[bytes]:
        for part in parts:
            await asyncio.sleep(pause_s)
            yield part

    return StreamingHttpResponse(waiting_async())


def stream(request: HttpRequest) -> HttpResponseBase:
    return _streamed(request, (b"line %d\n" % i for i in range(5)))


def known_length(request: HttpRequest) -> HttpResponseBase:
    response = _streamed(request, (b"line %d\n" % i for i in range(5)))
    response["Content-Length"] = "35"
    return response


def empty_stream(request: HttpRequest) -> HttpResponseBase:
    return _streamed(request, iter(()))


def broken_stream(request: HttpRequest) -> HttpResponseBase:
    def parts() -> Iterator[bytes]:
        yield b"first\n"
        raise OSError("disk gone")

    return _streamed(request, parts())


def slow_stream(request: HttpRequest) -> HttpResponseBase:
    return _streamed(request, (b"x" * 1000 for _ in range(5)), 0.04)


def endless(request: HttpRequest) -> HttpResponseBase:
    return _streamed(request, (b"x" * 65536 for _ in range(100_000)))


def chunked(request: HttpRequest, size: int) -> HttpResponseBase:
    return _streamed(request, (b"x" * (size // 5) for _ in range(5)))


urlpatterns = [
    path("", home),
    path("item/<int:number>", item),
    path("style/<path:id>/make", style),
    path("redirect", redirect),
    path("slash/", home),
    path("no-content", no_content),
    path("file", file),
    path("sized/<int:size>", of_size),
    path("upload", upload),
    path("early", home),
    path("async", async_view),
    path("sync", home),
    path("boom", boom),
    path("handled", handled),
    path("teapot", teapot),
    path("hangs", hangs),
    path("waits", hangs),
    path("stream", stream),
    path("known-length", known_length),
    path("empty-stream", empty_stream),
    path("broken-stream", broken_stream),
    path("slow-stream", slow_stream),
    path("endless", endless),
    path("chunked/<int:size>", chunked),
    path("mounted/<slug:tenant>/", include([path("item/<int:number>", item)])),
    path("shop/", include([path("cart/", include([path("item/<int:number>", item)]))])),
    *(path(f"many/{number}", home) for number in range(20)),
]

_NOT_FOUND: Final = Record(status=404, outcome="client_error")
_ITEM: Final = Record(route="/item/<int:number>", func="item")
_STYLE: Final = Record(route="/style/<path:id>/make", func="style")
_STATIC_FILE: Final = Record(route="/static/<path:path>", func="serve")

_RECORDS: Final[Mapping[str, Record]] = {
    "plain": Record(route="/", func="home"),
    "query": Record(route="/", func="home"),
    "template": _ITEM,
    "path template": _STYLE,
    "not found": _NOT_FOUND,
    "not found below a mount": _NOT_FOUND,
    "method not allowed": replace(_ITEM, method="DELETE", status=405, outcome="client_error"),
    "unknown method": replace(_ITEM, method="_OTHER", status=405, outcome="client_error"),
    "options": replace(_ITEM, method="OPTIONS", status=405, outcome="client_error"),
    "redirect": Record(route="/redirect", func="redirect", status=302),
    "slash redirect": Record(status=301),
    "no content": Record(route="/no-content", func="no_content", status=204),
    "head": Record(route="/", func="home", method="HEAD"),
    "head of a stream": Record(route="/stream", func="stream", method="HEAD"),
    "upload": Record(route="/upload", func="upload", method="POST", received=1000),
    "upload nobody reads": replace(_ITEM, method="POST", status=405, outcome="client_error"),
    "raises": Record(
        route="/boom", func="boom", status=500, outcome="server_error", error="ValueError"
    ),
    "handled exception": Record(
        route="/handled", func="handled", status=409, outcome="client_error"
    ),
    "exception with a status": Record(
        route="/teapot", func="teapot", status=403, outcome="client_error"
    ),
    # A middleware answered before Django resolved anything.
    "early answer": Record(status=401, outcome="client_error"),
    "invalid input": _NOT_FOUND,
    "stream": Record(route="/stream", func="stream"),
    "stream of known length": Record(route="/known-length", func="known_length"),
    "empty stream": Record(route="/empty-stream", func="empty_stream"),
    "stream that raises": Record(
        route="/broken-stream", func="broken_stream", outcome="aborted_stream", error="OSError"
    ),
    "file": Record(route="/file", func="file"),
    "mounted": Record(route="/mounted/<slug:tenant>/item/<int:number>", func="item"),
    "nested": Record(route="/shop/cart/item/<int:number>", func="item"),
    "static file": _STATIC_FILE,
    "static file that is fresh": replace(_STATIC_FILE, status=304),
    "static file that is missing": replace(_STATIC_FILE, status=404, outcome="client_error"),
    "async view": Record(route="/async", func="async_view"),
    "sync view": Record(route="/sync", func="home"),
    "long path": _NOT_FOUND,
    "encoded path": _STYLE,
    "non-ASCII path": _STYLE,
    "path that is not UTF-8": _STYLE,
    "control characters in the path": _STYLE,
    "new line in the path": _NOT_FOUND,
    "dots in the path": _NOT_FOUND,
    "forged trace headers": _ITEM,
    "10 kB header": _ITEM,
    "duplicate headers": _ITEM,
    # With tests of their own:
    "left in the stream": Record(route="/endless", func="endless", outcome="client_disconnect"),
    "slow stream": Record(route="/slow-stream", func="slow_stream"),
    "sizes": Record(route="/sized/<int:size>", func="of_size"),
    "many routes": Record(route="/many/0", func="home"),
}

_ASGI_RECORDS: Final[dict[str, Record]] = {
    **_RECORDS,
    # Under WSGI, Django reads no body whose length it is not told.
    "chunked upload": Record(route="/upload", func="upload", method="POST", received=1000),
    # Django reads every body before it looks for a view.
    "upload nobody reads": replace(_RECORDS["upload nobody reads"], received=1000),
    # Django answers in a task of its own: around it, only the response is seen.
    "timeout in a middleware": Record(
        route="/hangs", func="hangs", status=504, outcome="server_error"
    ),
    # Django cancels the view.
    "left before the answer": Record(
        route="/waits", func="hangs", status=499, outcome="client_disconnect"
    ),
    "task cancelled": Record(
        route="/waits", func="hangs", status=499, outcome="cancelled", error="CancelledError"
    ),
}


if django.VERSION < (5,):
    # It does not listen for clients that leave.
    _ASGI_RECORDS.pop("left in the stream")
    _ASGI_RECORDS.pop("left before the answer")


class DjangoSite:
    """See `contract_site.Site`.

    Args:
        interface: Which of its two handlers.
    """

    framework = "django"

    def __init__(self, interface: Literal["wsgi", "asgi"] = "wsgi") -> None:
        self.interface: Literal["wsgi", "asgi"] = interface
        self.name = f"django-{interface}"
        self.records = _RECORDS if interface == "wsgi" else _ASGI_RECORDS
        # Django reads them as it makes a handler.
        self._middleware = [
            "contract_sites.django_layers.site_urls",
            "django.middleware.common.CommonMiddleware",
            "contract_sites.django_layers.to_conflict",
        ]
        if interface == "asgi":
            # The innermost: those of Django are run in one thread, and would be waited for.
            self._middleware.append("contract_sites.django_layers.limit_time")

    def make_app(self, *, fails_to_start: bool = False) -> Any:
        """Return a new application."""
        with override_settings(MIDDLEWARE=self._middleware):
            if self.interface == "asgi":
                return ASGIStaticFilesHandler(get_asgi_application())
            return StaticFilesHandler(get_wsgi_application())

    def instrument(self, app: Any, **settings: object) -> Any:
        """Instrument it the usual way."""
        return instrument_app(app, **settings)

    def wrap(self, app: Any, **settings: object) -> Any:
        """Have its middlewares made anew, with ours among them."""
        middleware = [*self._middleware, _OURS]
        with override_settings(MIDDLEWARE=middleware, WF_INSTRUMENT=settings):
            if self.interface == "asgi":
                app.application.load_middleware(is_async=True)
            else:
                app.application.load_middleware()
        return app
