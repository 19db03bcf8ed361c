"""A Django site with a view for every way a request can go; it is its own URL configuration."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.urls import include, path, re_path
from django.views import View
from django.views.decorators.http import require_GET
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from django.http.response import HttpResponseBase

_STATIC = ("data", "contract_sites/static")

if not settings.configured:  # once a process, whoever comes first
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={},
        LOGGING_CONFIG=None,
        MIDDLEWARE=[],
        ROOT_URLCONF=__name__,
        SECRET_KEY="of the tests",
        STATIC_URL="/static/",
        STATICFILES_DIRS=[str(Path(__file__).parent / name) for name in _STATIC],
        INSTALLED_APPS=["django.contrib.staticfiles"],
        USE_TZ=True,
        LANGUAGE_CODE="en",
    )
    django.setup()

#: CPU seconds that `/busy` and the like took by the clock of the thread they ran in.
spent: list[float] = []
#: Called in `/look`.
look: list[Callable[[], object]] = []


def burn(seconds: float = 0.04) -> None:
    begun = time.thread_time()
    while time.thread_time() < begun + seconds:
        pass
    spent.append(time.thread_time() - begun)


def home(request: HttpRequest, **_: object) -> HttpResponse:
    return HttpResponse("home")


def make_shirts(request: HttpRequest, id: str) -> HttpResponse:  # noqa: A002 - as documented
    return HttpResponse(f"Shirts {id} made.")


class Item(View):
    def get(self, request: HttpRequest, **_: object) -> HttpResponse:
        return HttpResponse("item")


def boom(request: HttpRequest) -> HttpResponse:
    raise ValueError("no shirts")


async def boom_async(request: HttpRequest) -> HttpResponse:
    raise ValueError("no shirts")


def slow_answer(request: HttpRequest) -> HttpResponse:
    raise TimeoutError("too slow")


def gone(request: HttpRequest) -> HttpResponse:
    raise Http404("sold out")


def denied(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def suspicious(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation("odd")


def redirect(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect("/")


@require_GET
def only_get(request: HttpRequest) -> HttpResponse:
    return HttpResponse("got")


def upload(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


def file(request: HttpRequest) -> HttpResponseBase:
    return FileResponse(Path(__file__).open("rb"))


def stream(request: HttpRequest) -> HttpResponseBase:
    def parts() -> Iterator[bytes]:
        for _ in range(5):
            yield b"x" * 1000
            time.sleep(0.05)

    return StreamingHttpResponse(parts())


async def stream_async(request: HttpRequest) -> HttpResponseBase:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(5):
            burn(0.01)
            yield b"x" * 1000
            await asyncio.sleep(0.05)

    return StreamingHttpResponse(parts())


async def endless(request: HttpRequest) -> HttpResponseBase:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0.01)

    return StreamingHttpResponse(parts())


def endless_sync(request: HttpRequest) -> HttpResponseBase:
    return StreamingHttpResponse(iter(lambda: b"x" * 100_000, b""))


def broken_stream(request: HttpRequest) -> HttpResponseBase:
    def parts() -> Iterator[bytes]:
        yield b"first\n"
        raise OSError("disk gone")

    return StreamingHttpResponse(parts())


async def broken_stream_async(request: HttpRequest) -> HttpResponseBase:
    async def parts() -> AsyncIterator[bytes]:
        yield b"first\n"
        raise OSError("disk gone")

    return StreamingHttpResponse(parts())


def busy(request: HttpRequest) -> HttpResponse:
    burn(0.08)
    return HttpResponse("busy")


async def busy_async(request: HttpRequest) -> HttpResponse:
    burn()
    await asyncio.sleep(0.001)
    burn()
    return HttpResponse("busy")


async def busy_threads(request: HttpRequest) -> HttpResponse:
    burn(0.02)
    await sync_to_async(burn)(0.03)
    await sync_to_async(burn, thread_sensitive=False)(0.03)
    return HttpResponse("busy")


async def waiting(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(60)
    return HttpResponse("late")


def looked(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(look[-1]()))


async def looked_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(look[-1]()))


shop = (
    [
        path("item/<int:number>", Item.as_view(), name="item"),
        re_path(r"^old/(?P<year>[0-9]{4})/$", home),
    ],
    "shop",
)

urlpatterns = [
    path("", home),
    path("style/<path:id>/make", make_shirts),
    path("shops/<slug:name>/", include(shop, namespace="north")),
    re_path(r"^articles/(?P<year>[0-9]{4})/$", home),
    path("boom", boom),
    path("boom-async", boom_async),
    path("timeout", slow_answer),
    path("gone", gone),
    path("denied", denied),
    path("suspicious", suspicious),
    path("redirect", redirect),
    path("only-get", only_get),
    path("upload", upload),
    path("file", file),
    path("stream", stream),
    path("stream-async", stream_async),
    path("endless", endless),
    path("endless-sync", endless_sync),
    path("broken-stream", broken_stream),
    path("broken-stream-async", broken_stream_async),
    path("busy", busy),
    path("busy-async", busy_async),
    path("busy-threads", busy_threads),
    path("waiting", waiting),
    path("look", looked),
    path("look-async", looked_async),
]


class PlainSync:
    """A middleware that Django runs in a thread under ASGI, and what is in it in the loop."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = self.get_response(request)
        return response


class BusySync(PlainSync):
    """The same, and it takes its time."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        burn(0.01)
        response = super().__call__(request)
        burn(0.01)
        return response


class BusyAsync:
    """A middleware that Django runs in a loop of its own under WSGI."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        from asgiref.sync import markcoroutinefunction

        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        burn(0.01)
        response: HttpResponse = await self.get_response(request)
        burn(0.01)
        return response


@contextmanager
def served_wsgi(app: Any) -> Iterator[int]:
    """Serve a WSGI application on a port of loopback until the block ends."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    # Waited for when it closes: a client has its answer before the request has ended.
    server.daemon_threads = False  # type: ignore[attr-defined]  # of the threaded kind
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def hang_up(port: int, path: str) -> None:
    """Send a request and reset the connection, after the first bytes of an answer if any."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        connection.settimeout(0.5)
        with suppress(TimeoutError):
            connection.recv(1)
