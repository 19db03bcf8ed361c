"""Serves the demo's Flask application, with werkzeug's development server.

Threads: the server's, one a connection, and the one that accepts.
Locks: `_InHand` guards its count.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["serve_with_werkzeug"]

_FINISH_TIMEOUT_S: Final = 5.0


class _InHand:
    """How many requests the server has begun and not ended, their recording included."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count the request of the block."""
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)

    def wait_for_none(self, timeout_s: float) -> bool:
        """Wait until all have ended; False if some have not."""
        with self._changed:
            return self._changed.wait_for(lambda: self._count == 0, timeout_s)

    def _add(self, change: int) -> None:
        with self._changed:
            self._count += change
            self._changed.notify_all()


def serve_with_werkzeug(app: Any) -> tuple[int, Callable[[], None]]:
    """Serve on a free port of 127.0.0.1; return it, and what finishes all requests and ends."""
    in_hand = _InHand()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    class KeepAliveHandler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def run_wsgi(self) -> None:
            with in_hand.one():
                super().run_wsgi()

        def log_request(self, *args: object) -> None:
            """Say nothing: the table at the end says it all."""

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=KeepAliveHandler)
    # A visitor may keep its connection open; the process must not wait for it.
    server.daemon_threads = True  # type: ignore[attr-defined]  # of socketserver's mix-in
    threading.Thread(target=server.serve_forever, name="server", daemon=True).start()

    def finish() -> None:
        server.shutdown()
        # The visitor has the last byte of an answer a moment before the request is recorded.
        in_hand.wait_for_none(_FINISH_TIMEOUT_S)

    return server.server_port, finish
