"""Requests one by one with the processor's caches emptied in between, as under a server.

In a loop, code and data of one request are still in the caches when the next one comes; in a server
they are not, since the server's own code, the kernel's, the load's and those of other processes
came in between. Each request here comes after a walk through more memory than the caches of a core
hold, and after what a server does in Python: it receives, parses and sends.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import socket
import time
from typing import TYPE_CHECKING, Any

from overhead_apps import PATH, WSGI, asgi_scope, ask_wsgi, receive, send, wsgi_environ

if TYPE_CHECKING:
    from collections.abc import Callable

    from alternating import Pair

__all__ = ["cold_serve"]

#: More than the second-level cache of any processor we know; the third is shared anyhow.
_WALKED = bytearray(16 << 20)
_ASKED = (
    f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
).encode()
_ANSWERED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 16\r\n\r\n" + b"x" * 16
_DOCUMENT = json.dumps([{"number": number, "text": str(number)} for number in range(20)])

_client, _server = socket.socketpair()


def _empty_caches() -> None:
    _WALKED.count(1)
    _client.send(_ASKED)
    _, _, head = _server.recv(65536).partition(b"\r\n")
    http.client.parse_headers(io.BytesIO(head))
    json.loads(_DOCUMENT)
    _server.send(_ANSWERED)
    _client.recv(65536)


def cold_serve(
    framework: str, bare: Any, own: Any, drain: Callable[[], object], requests: int
) -> Pair:
    """Return microseconds of CPU per request: those of the serving thread, and of the drain."""
    serve = _serve_wsgi if framework in WSGI else _serve_asgi
    bare_ns, own_ns = serve((bare, own), requests)
    begun = time.process_time_ns()
    drain()
    own_ns += time.process_time_ns() - begun
    return bare_ns / requests / 1000, own_ns / requests / 1000


def _serve_wsgi(apps: tuple[Any, Any], requests: int) -> list[int]:
    spent_ns = [0, 0]
    for number in range(2 * requests):
        environ = wsgi_environ()
        _empty_caches()
        begun = time.thread_time_ns()
        ask_wsgi(apps[number % 2], environ)
        spent_ns[number % 2] += time.thread_time_ns() - begun
    return spent_ns


def _serve_asgi(apps: tuple[Any, Any], requests: int) -> list[int]:
    async def serve() -> list[int]:
        loop = asyncio.get_running_loop()
        spent_ns = [0, 0]
        for number in range(2 * requests):
            scope = asgi_scope()
            _empty_caches()
            begun = time.thread_time_ns()
            await loop.create_task(apps[number % 2](scope, receive, send))
            spent_ns[number % 2] += time.thread_time_ns() - begun
        return spent_ns

    return asyncio.run(serve())
