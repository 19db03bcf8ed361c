"""What a framework brings to the contract suite, and what is asked of all of them.

A site is an application with a view for each corner that its framework has. To add a framework:
write its module in `contract_sites/`, and list it in `contract_sites/table.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EXCHANGES", "Record", "Site", "ask"]


@dataclass(frozen=True, kw_only=True)
class Record:
    """What one request is to be recorded as.

    Attributes:
        sent: Bytes of the response's body; None for as many as the client got.
        received: Bytes of the request's body.
    """

    route: str | None = None
    func: str | None = None
    method: str = "GET"
    status: int = 200
    outcome: str = "ok"
    error: str | None = None
    sent: int | None = None
    received: int = 0


class Site(Protocol):
    """One framework.

    Attributes:
        name: Of the test cases.
        framework: What requests are recorded under.
        interface: Which servers can serve it.
        records: What is recorded in each corner the framework has; the keys are names of
            `EXCHANGES`, or of corners that have a test of their own.
    """

    name: str
    framework: str
    interface: Literal["wsgi", "asgi"]
    records: Mapping[str, Record]

    def make_app(self, *, fails_to_start: bool = False) -> Any:
        """Return a new application, not instrumented.

        Args:
            fails_to_start: Whether its lifespan raises; asked for in the corner `start-up fails`.
        """

    def instrument(self, app: Any, **settings: object) -> Any:
        """Instrument it the usual way and return what is to be served."""

    def wrap(self, app: Any, **settings: object) -> Any:
        """Add the framework's `TelemetryMiddleware` as well; the same application otherwise."""


def ask(
    target: str | bytes,
    method: str = "GET",
    *headers: tuple[str, str],
    body: bytes | None = None,
    host: str = "site.test",
    keep: bool = False,
) -> bytes:
    """Return the bytes of a request."""
    path = target if isinstance(target, bytes) else target.encode()
    lines = [("Host", host), *headers, ("Connection", "keep-alive" if keep else "close")]
    if body is not None:
        lines.append(("Content-Length", str(len(body))))
    head = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in lines)
    return method.encode() + b" " + path + b" HTTP/1.1\r\n" + head + b"\r\n" + (body or b"")


_PARENT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

#: The request of each corner, as the client writes it.
EXCHANGES: Final[Mapping[str, bytes]] = {
    "plain": ask("/"),
    "query": ask("/?a=1&b=%20c#d"),
    "template": ask("/item/7"),
    "path template": ask("/style/a/b/make"),
    "not found": ask("/nothing"),
    "not found below a mount": ask("/mounted/north/nothing"),
    "method not allowed": ask("/item/7", "DELETE"),
    "unknown method": ask("/item/7", "BREW"),
    "options": ask("/item/7", "OPTIONS"),
    "redirect": ask("/redirect"),
    "slash redirect": ask("/slash"),
    "no content": ask("/no-content"),
    "head": ask("/", "HEAD"),
    "head of a stream": ask("/stream", "HEAD"),
    "upload": ask("/upload", "POST", body=b"x" * 1000),
    "chunked upload": ask("/upload", "POST", ("Transfer-Encoding", "chunked"))
    + b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n",
    "upload nobody reads": ask("/item/7", "POST", body=b"x" * 1000),
    "raises": ask("/boom"),
    "handled exception": ask("/handled"),
    "exception with a status": ask("/teapot"),
    "early answer": ask("/early"),
    "invalid input": ask("/item/seven"),
    "stream": ask("/stream"),
    "stream of known length": ask("/known-length"),
    "empty stream": ask("/empty-stream"),
    "no answer": ask("/silent"),
    "stream without an end": ask("/cut-stream"),
    "stream that raises": ask("/broken-stream"),
    "list body": ask("/list"),
    "tuple body": ask("/tuple"),
    "sized body": ask("/sized"),
    "written body": ask("/written"),
    "file": ask("/file"),
    "range of a file": ask("/file", "GET", ("Range", "bytes=5-24")),
    "background task": ask("/background"),
    "mounted": ask("/mounted/north/item/7"),
    "sub-application": ask("/sub/north/item/7"),
    "nested": ask("/shop/cart/item/7"),
    "host": ask("/hosted", host="north.example.org"),
    "static file": ask("/static/style.css"),
    "static file that is fresh": ask(
        "/static/style.css", "GET", ("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT")
    ),
    "static file that is missing": ask("/static/nothing.css"),
    "async view": ask("/async"),
    "sync view": ask("/sync"),
    "sync dependency": ask("/depends"),
    "timeout in a middleware": ask("/hangs"),
    "long path": ask("/" + "x" * 3000),
    "encoded path": ask("/style/a%2Fb%20c%25/make"),
    "non-ASCII path": ask("/style/caf%C3%A9%E2%98%95/make"),
    "path that is not UTF-8": ask("/style/%FF%FE/make"),
    "control characters in the path": ask("/style/a%00%0D%1B%7F/make"),
    "new line in the path": ask("/style/a%0D%0A/make"),
    "dots in the path": ask("/style/../../item/./7"),
    "forged trace headers": ask(
        "/item/7",
        "GET",
        ("traceparent", "00-zz"),
        ("wf-ot-traceid", "not an id"),
        ("wf-ot-spanid", "\xff\xfe"),
        ("uber-trace-id", ":::::"),
        ("b3", "0"),
        ("tracestate", "=,=" * 600),
        ("baggage", "%zz=;," * 600),
        ("X-Request-Start", "t=tomorrow"),
    ),
    "10 kB header": ask("/item/7", "GET", ("X-Long", "x" * 10_000), ("baggage", "a=" + "b" * 5000)),
    "duplicate headers": ask(
        "/item/7",
        "GET",
        ("traceparent", _PARENT),
        ("traceparent", _PARENT.replace("b7", "c7")),
        ("X-Request-Start", "t=1"),
        ("X-Request-Start", "t=2"),
        ("Cookie", "a=1"),
        ("Cookie", "b=2"),
    ),
}  # fmt: skip
