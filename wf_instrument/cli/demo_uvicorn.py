"""Serves the demo's asynchronous application, with uvicorn.

Threads: the server's own, which runs its event loop.
"""

from __future__ import annotations

import logging
import socket
import threading
from typing import TYPE_CHECKING, Any, Final

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["serve_with_uvicorn"]

_FINISH_TIMEOUT_S: Final = 5


def serve_with_uvicorn(app: Any) -> tuple[int, Callable[[], None]]:
    """Serve on a free port of 127.0.0.1; return it, and what finishes all requests and ends."""
    # It would write a traceback to the terminal for every failure the demo means to have.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=_FINISH_TIMEOUT_S,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="server", daemon=True
    )
    thread.start()

    def finish() -> None:
        server.should_exit = True
        thread.join(2 * _FINISH_TIMEOUT_S)

    return listener.getsockname()[1], finish
