"""Real servers on loopback, in threads of the test process: two for WSGI, two for ASGI.

Threads: each server has one, and what it starts itself; all end with the block.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import hypercorn.asyncio
import hypercorn.config
import waitress.server
import waitress.wasyncore
from werkzeug.serving import WSGIRequestHandler, make_server

from asgi_server import served_asgi

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SERVERS"]


class _SilentHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *args: object, **options: object) -> None:
        """Say nothing."""


@contextmanager
def _werkzeug(app: Any) -> Iterator[int]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_SilentHandler)
    server.daemon_threads = True  # type: ignore[attr-defined]  # a test may leave a view waiting
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def _waitress(app: Any) -> Iterator[int]:
    sockets: dict[int, Any] = {}
    server = waitress.server.create_server(
        app,
        host="127.0.0.1",
        port=0,
        threads=8,
        map=sockets,
        asyncore_loop_timeout=0.02,
        # An answer that nobody reads shall not be kept whole.
        outbuf_high_watermark=100_000,
        connection_limit=1000,
        asyncore_use_poll=True,
    )
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            waitress.wasyncore.loop(timeout=0.02, use_poll=True, map=sockets, count=1)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield server.socket.getsockname()[1]
    finally:
        stop.set()
        thread.join()
        server.task_dispatcher.shutdown(timeout=1)
        waitress.wasyncore.close_all(sockets)


@contextmanager
def _uvicorn(app: Any) -> Iterator[int]:
    with served_asgi(app, timeout_graceful_shutdown=1) as port:
        yield port


@contextmanager
def _hypercorn(app: Any) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = hypercorn.config.Config()
    config.bind = [f"fd://{listener.detach()}"]  # it closes the socket itself
    config.accesslog = config.errorlog = None
    config.graceful_timeout = 0.5
    config.wsgi_max_body_size = 0
    ready, failed = threading.Event(), []
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def until_stopped() -> None:
        # Called once the application has started and the sockets listen.
        ready.set()
        await stop.wait()

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                loop.run_until_complete(
                    hypercorn.asyncio.serve(app, config, shutdown_trigger=until_stopped)
                )
        except BaseException as error:  # noqa: BLE001 - told to the test
            failed.append(error)
        finally:
            ready.set()
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(10)
        if failed:
            raise failed[0]
        yield port
    finally:
        if not failed:
            loop.call_soon_threadsafe(stop.set)
        thread.join(10)


#: By the interface of the application; each serves it until the block ends, and yields the port.
SERVERS: Final = {
    "wsgi": {"werkzeug": _werkzeug, "waitress": _waitress},
    "asgi": {"uvicorn": _uvicorn, "hypercorn": _hypercorn},
}
