"""The corners of a bare ASGI application."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from wf_instrument.integrations.asgi import TelemetryMiddleware, instrument_app

from contract_site import Record

from .asgi_layers import AnswerEarly, LimitTime, answer, fail_to_start

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AsgiSite"]


async def _plain(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 200, b"plain")


async def _item(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 200, b"item", (b"x-item", b"7"), (b"x-item", b"8"))


async def _style(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 200, ascii(scope["path"]).encode())


async def _redirect(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 302, b"", (b"location", b"/"))


async def _no_content(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204})
    await send({"type": "http.response.body"})


async def _upload(scope: Any, receive: Any, send: Any) -> None:
    size, is_more = 0, True
    while is_more:
        message = await receive()
        size += len(message.get("body", b""))
        is_more = message.get("more_body", False)
    await answer(send, 200, str(size).encode())


async def _boom(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("no shirts")


async def _silent(scope: Any, receive: Any, send: Any) -> None:
    """Return without an answer."""


async def _start(send: Any, *headers: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(headers)})


async def _part(send: Any, body: bytes, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def _stream(scope: Any, receive: Any, send: Any) -> None:
    await _start(send)
    for number in range(5):
        await _part(send, b"line %d\n" % number, number < 4)


async def _known_length(scope: Any, receive: Any, send: Any) -> None:
    await _start(send, (b"content-length", b"35"))
    for number in range(5):
        await _part(send, b"line %d\n" % number)
    await _part(send, b"", more=False)


async def _empty_stream(scope: Any, receive: Any, send: Any) -> None:
    await _start(send)
    await _part(send, b"")
    await _part(send, b"", more=False)


async def _broken_stream(scope: Any, receive: Any, send: Any) -> None:
    await _start(send)
    await _part(send, b"first\n")
    raise OSError("disk gone")


async def _cut_stream(scope: Any, receive: Any, send: Any) -> None:
    """Return before the end of the answer."""
    await _start(send)
    await _part(send, b"first\n")


async def _background(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 200, b"soon")
    await asyncio.sleep(0.002)


async def _later(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 200, b"soon")
    await asyncio.sleep(0.5)


async def _hangs(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(3600)


async def _waits(scope: Any, receive: Any, send: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _slow_stream(scope: Any, receive: Any, send: Any) -> None:
    await _start(send)
    for number in range(5):
        await asyncio.sleep(0.04)
        await _part(send, b"x" * 1000, number < 4)


async def _endless(scope: Any, receive: Any, send: Any) -> None:
    gone = asyncio.ensure_future(_waits(scope, receive, send))
    await _start(send)
    while not gone.done():
        await _part(send, b"x" * 65536)
        await asyncio.sleep(0)


def _size(scope: Any) -> int:
    return int(scope["path"].rpartition("/")[2])


async def _of_size(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 200, b"x" * _size(scope))


async def _chunked(scope: Any, receive: Any, send: Any) -> None:
    await _start(send)
    for number in range(5):
        await _part(send, b"x" * (_size(scope) // 5), number < 4)


async def _not_found(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 404, b"not found")


_VIEWS: Final[dict[str, tuple[re.Pattern[str], Any]]] = {
    template: (re.compile(pattern, re.DOTALL), view)
    for template, pattern, view in (
        ("/", "/", _plain),
        ("/item/{number}", r"/item/\d+", _item),
        ("/style/{id}/make", "/style/.*/make", _style),
        ("/redirect", "/redirect", _redirect),
        ("/no-content", "/no-content", _no_content),
        ("/upload", "/upload", _upload),
        ("/early", "/early", _plain),
        ("/boom", "/boom", _boom),
        ("/silent", "/silent", _silent),
        ("/stream", "/stream", _stream),
        ("/known-length", "/known-length", _known_length),
        ("/empty-stream", "/empty-stream", _empty_stream),
        ("/broken-stream", "/broken-stream", _broken_stream),
        ("/cut-stream", "/cut-stream", _cut_stream),
        ("/background", "/background", _background),
        ("/later", "/later", _later),
        ("/hangs", "/hangs", _hangs),
        ("/waits", "/waits", _waits),
        ("/slow-stream", "/slow-stream", _slow_stream),
        ("/endless", "/endless", _endless),
        ("/sized/{size}", r"/sized/\d+", _of_size),
        ("/chunked/{size}", r"/chunked/\d+", _chunked),
        *((f"/many/{number}", f"/many/{number}", _plain) for number in range(20)),
    )
}


def _find(path: str) -> tuple[str | None, Any]:
    for template, (pattern, view) in _VIEWS.items():
        if pattern.fullmatch(path):
            return template, view
    return None, _not_found


def _path(scope: Any) -> str:
    return scope["path"].removeprefix(scope.get("root_path", ""))  # type: ignore[no-any-return]  # a text


def _route_of(scope: Any) -> str | None:
    return _find(_path(scope))[0]


async def _app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return
    await _find(_path(scope))[1](scope, receive, send)


_NOT_FOUND: Final = Record(status=404, outcome="client_error")
_ITEM: Final = Record(route="/item/{number}")
_STYLE: Final = Record(route="/style/{id}/make")


class AsgiSite:
    """See `contract_site.Site`."""

    name = framework = "asgi"
    interface: Literal["asgi"] = "asgi"
    records: Final[Mapping[str, Record]] = {
        "plain": Record(route="/"),
        "query": Record(route="/"),
        "template": _ITEM,
        "path template": _STYLE,
        "not found": _NOT_FOUND,
        "unknown method": replace(_ITEM, method="_OTHER"),
        "options": replace(_ITEM, method="OPTIONS"),
        "redirect": Record(route="/redirect", status=302),
        "no content": Record(route="/no-content", status=204),
        "head": Record(route="/", method="HEAD"),
        "head of a stream": Record(route="/stream", method="HEAD"),
        "upload": Record(route="/upload", method="POST", received=1000),
        "chunked upload": Record(route="/upload", method="POST", received=1000),
        "upload nobody reads": replace(_ITEM, method="POST"),
        # The page is the server's own.
        "raises": Record(
            route="/boom", status=500, outcome="server_error", error="ValueError", sent=0
        ),
        "no answer": Record(route="/silent", status=500, outcome="server_error", sent=0),
        "early answer": Record(route="/early", status=401, outcome="client_error"),
        "invalid input": _NOT_FOUND,
        "stream": Record(route="/stream"),
        "stream of known length": Record(route="/known-length"),
        "empty stream": Record(route="/empty-stream"),
        "stream that raises": Record(
            route="/broken-stream", outcome="aborted_stream", error="OSError"
        ),
        "stream without an end": Record(route="/cut-stream", outcome="aborted_stream"),
        "background task": Record(route="/background"),
        "timeout in a middleware": Record(
            route="/hangs", status=504, outcome="timeout", error="TimeoutError"
        ),
        "long path": _NOT_FOUND,
        "encoded path": _STYLE,
        "non-ASCII path": _STYLE,
        "path that is not UTF-8": _STYLE,
        "control characters in the path": _STYLE,
        "new line in the path": _STYLE,
        "dots in the path": _NOT_FOUND,
        "forged trace headers": _ITEM,
        "10 kB header": _ITEM,
        "duplicate headers": _ITEM,
        # With tests of their own:
        "left in the stream": Record(route="/endless", outcome="client_disconnect"),
        "left before the answer": Record(route="/waits", status=499, outcome="client_disconnect"),
        "task cancelled": Record(
            route="/waits", status=499, outcome="cancelled", error="CancelledError"
        ),
        "slow stream": Record(route="/slow-stream"),
        "slow background task": Record(route="/later"),
        "sizes": Record(route="/sized/{size}"),
        "start-up fails": Record(),
        "many routes": Record(route="/many/0"),
    }

    def make_app(self, *, fails_to_start: bool = False) -> Any:
        """Return a new application."""
        if fails_to_start:
            return fail_to_start

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await AnswerEarly(LimitTime(_app))(scope, receive, send)

        return app

    def instrument(self, app: Any, **settings: object) -> Any:
        """Instrument it the usual way."""
        return instrument_app(app, route_of=_route_of, **settings)

    def wrap(self, app: Any, **settings: object) -> Any:
        """Put one more middleware around it."""
        return TelemetryMiddleware(app, route_of=_route_of, **settings)
