"""Serves an ASGI application with uvicorn, on loopback, in a thread of the test.

Threads: each server has one, which ends with the block.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator


#: Turns that the loop takes to learn of clients that have hung up; uvicorn pauses otherwise.
_TURNS: Final = 20


class _Server(uvicorn.Server):
    """Tells when it is ready, or has given up; ends at once when nobody is served."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            await super().startup(sockets)
        finally:
            self.is_ready.set()

    async def main_loop(self) -> None:
        # uvicorn's own looks ten times a second; for hundreds of servers that adds up.
        await self.on_tick(0)
        await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        state = self.server_state
        for _ in range(_TURNS):
            if not (state.connections or state.tasks):
                break
            await asyncio.sleep(0.001)
        else:
            await super().shutdown(sockets)
            return
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        await self.lifespan.shutdown()

    def stop(self) -> None:
        """End it, from another thread."""
        self.should_exit = True
        if self._loop is not None:
            with suppress(RuntimeError):  # it has given up
                self._loop.call_soon_threadsafe(self._stop.set)


@contextmanager
def served_asgi(app: Any, listener: socket.socket | None = None, **options: Any) -> Iterator[int]:
    """Serve the application on a port of loopback until the block ends."""
    listener = listener or socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, **options)
    server = _Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        assert server.is_ready.wait(10)
        yield listener.getsockname()[1]
    finally:
        server.stop()
        thread.join(10)
        listener.close()


def fetch(
    port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers (names in lower case) and body of one request."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers=named)
        response = connection.getresponse()
        content = response.read()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, content
    finally:
        connection.close()
