"""The corners of a bare WSGI application."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from wsgiref.util import FileWrapper

from wf_instrument.integrations.wsgi import TelemetryMiddleware, instrument_app

from contract_site import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["WsgiSite"]

_FILE: Final = Path(__file__).parent / "static" / "style.css"
_TEXT: Final = ("Content-Type", "text/plain")

Environ = dict[str, Any]
Start = "Callable[..., Callable[[bytes], object]]"


class _Sized:
    """A body that is neither list nor tuple, and knows its length."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)


class _Closing:
    """A stream that tells when it is closed, in a list its maker can see."""

    closed: Final[list[bool]] = []

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        self.closed.append(True)


def _lines() -> Iterator[bytes]:
    return (b"line %d\n" % number for number in range(5))


def _plain(environ: Environ, start: Any) -> Iterable[bytes]:
    start("200 OK", [_TEXT])
    return [b"plain"]


def _item(environ: Environ, start: Any) -> Iterable[bytes]:
    start("200 OK", [_TEXT, ("Content-Length", "4")])
    return [b"item"]


def _style(environ: Environ, start: Any) -> Iterable[bytes]:
    start("200 OK", [_TEXT])
    return [repr(environ["PATH_INFO"]).encode("unicode_escape")]


def _redirect(environ: Environ, start: Any) -> Iterable[bytes]:
    start("302 Found", [_TEXT, ("Location", "/")])
    return []


def _no_content(environ: Environ, start: Any) -> Iterable[bytes]:
    start("204 No Content", [])
    return []


def _upload(environ: Environ, start: Any) -> Iterable[bytes]:
    start("200 OK", [_TEXT])
    length = int(environ.get("CONTENT_LENGTH") or -1)
    # Both servers here end the input where a chunked body ends.
    return [str(len(environ["wsgi.input"].read(length))).encode()]


def _boom(environ: Environ, start: Any) -> Iterable[bytes]:
    raise ValueError("no shirts")


def _handled(environ: Environ, start: Any) -> Iterable[bytes]:
    import sys

    start("200 OK", [_TEXT])
    try:
        raise KeyError("handled")
    except KeyError:
        # Source: PEP 3333, "Error Handling".
        start("409 Conflict", [_TEXT], sys.exc_info())
        return [b"conflict"]


def _stream(environ: Environ, start: Any) -> Iterable[bytes]:
    start("200 OK", [_TEXT])
    return _Closing(_lines())


def _known_length(environ: Environ, start: Any) -> Iterable[bytes]:
    start("200 OK", [_TEXT, ("Content-Length", "35")])
    return _lines()


def _empty_stream(environ: Environ, start: Any) -> Iterable[bytes]:
    start("200 OK", [_TEXT])
    return iter(())


def _broken_stream(environ: Environ, start: Any) -> Iterable[bytes]:
    start("200 OK", [_TEXT])
    yield b"first\n"
    raise OSError("disk gone")


def _list(environ: Environ, start: Any) -> Iterable[bytes]:
    start("200 OK", [_TEXT])
    return [b"one ", b"two ", b"three"]


def _tuple(environ: Environ, start: Any) -> Iterable[bytes]:
    start("200 OK", [_TEXT])
    return (b"all there is",)


def _sized(environ: Environ, start: Any) -> Iterable[bytes]:
    start("200 OK", [_TEXT])
    return _Sized(b"all there is")


def _written(environ: Environ, start: Any) -> Iterable[bytes]:
    write = start("200 OK", [_TEXT])
    write(b"written ")
    return [b"and returned"]


def _file(environ: Environ, start: Any) -> Iterable[bytes]:
    size = str(_FILE.stat().st_size)
    start("200 OK", [_TEXT, ("Content-Length", size)])
    return environ.get("wsgi.file_wrapper", FileWrapper)(_FILE.open("rb"))


def _slow_stream(environ: Environ, start: Any) -> Iterable[bytes]:
    start("200 OK", [_TEXT])
    for _ in range(5):
        time.sleep(0.04)
        yield b"x" * 1000


def _endless(environ: Environ, start: Any) -> Iterable[bytes]:
    start("200 OK", [_TEXT])
    return (b"x" * 65536 for _ in range(100_000))


def _of_size(environ: Environ, start: Any) -> Iterable[bytes]:
    size = int(environ["PATH_INFO"].rpartition("/")[2])
    start("200 OK", [_TEXT, ("Content-Length", str(size))])
    return [b"x" * size]


def _chunked(environ: Environ, start: Any) -> Iterable[bytes]:
    size = int(environ["PATH_INFO"].rpartition("/")[2])
    start("200 OK", [_TEXT])
    return (b"x" * (size // 5) for _ in range(5))


def _not_found(environ: Environ, start: Any) -> Iterable[bytes]:
    start("404 Not Found", [_TEXT])
    return [b"not found"]


_VIEWS: Final[dict[str, tuple[re.Pattern[str], Any]]] = {
    template: (re.compile(pattern, re.DOTALL), view)
    for template, pattern, view in (
        ("/", "/", _plain),
        ("/item/{number}", r"/item/\d+", _item),
        ("/style/{id}/make", "/style/.*/make", _style),
        ("/redirect", "/redirect", _redirect),
        ("/no-content", "/no-content", _no_content),
        ("/upload", "/upload", _upload),
        ("/boom", "/boom", _boom),
        ("/handled", "/handled", _handled),
        ("/stream", "/stream", _stream),
        ("/known-length", "/known-length", _known_length),
        ("/empty-stream", "/empty-stream", _empty_stream),
        ("/broken-stream", "/broken-stream", _broken_stream),
        ("/list", "/list", _list),
        ("/tuple", "/tuple", _tuple),
        ("/sized", "/sized", _sized),
        ("/written", "/written", _written),
        ("/file", "/file", _file),
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


def _route_of(environ: Environ) -> str | None:
    return _find(environ["PATH_INFO"])[0]


_NOT_FOUND: Final = Record(status=404, outcome="client_error")
_ITEM: Final = Record(route="/item/{number}")
_STYLE: Final = Record(route="/style/{id}/make")


class WsgiSite:
    """See `contract_site.Site`."""

    name = framework = "wsgi"
    interface: Literal["wsgi"] = "wsgi"
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
        "upload": Record(route="/upload", method="POST", received=1000),
        "upload nobody reads": replace(_ITEM, method="POST"),
        # The page is the server's own.
        "raises": Record(
            route="/boom", status=500, outcome="server_error", error="ValueError", sent=0
        ),
        "handled exception": Record(route="/handled", status=409, outcome="client_error"),
        "invalid input": _NOT_FOUND,
        "stream": Record(route="/stream"),
        "stream of known length": Record(route="/known-length"),
        "empty stream": Record(route="/empty-stream"),
        "stream that raises": Record(
            route="/broken-stream", outcome="aborted_stream", error="OSError"
        ),
        "list body": Record(route="/list"),
        "tuple body": Record(route="/tuple"),
        "sized body": Record(route="/sized"),
        "written body": Record(route="/written"),
        "file": Record(route="/file"),
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
        "slow stream": Record(route="/slow-stream"),
        "sizes": Record(route="/sized/{size}"),
        "many routes": Record(route="/many/0"),
    }

    def make_app(self, *, fails_to_start: bool = False) -> Any:
        """Return a new application."""

        def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
            return _find(environ["PATH_INFO"])[1](environ, start_response)  # type: ignore[no-any-return]  # a view's

        return app

    def instrument(self, app: Any, **settings: object) -> Any:
        """Instrument it the usual way."""
        return instrument_app(app, route_of=_route_of, **settings)

    def wrap(self, app: Any, **settings: object) -> Any:
        """Put one more middleware around it."""
        return TelemetryMiddleware(app, route_of=_route_of, **settings)
