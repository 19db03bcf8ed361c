"""The demo's server process: serves the instrumented application until it is told to end.

Run as `python -m wf_instrument.cli.demo_server`; `demo_process.py` says how the two talk. It drains
and ends on SIGTERM, or when its standard input ends.

Threads: the server's, one a connection; `server` accepts; `parent` waits for standard input.
Locks: `_InHand` guards its count.
Fork: none.
Loss: a request that was answered is recorded before the process ends.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from wf_instrument.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.serving import BaseWSGIServer

__all__ = ["serve"]

_FINISH_TIMEOUT_S: Final = 5.0
_SHUTDOWN_TIMEOUT_S: Final = 10.0


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


def serve(reporters: list[str]) -> None:
    """Serve the demo's application on a free port of 127.0.0.1, reporting to `reporters`.

    Raises:
        ConfigError: A reporter cannot be used.
        StoreError: A store cannot be written.
    """
    import wf_instrument
    from wf_instrument.cli.demo_app import make_app

    app = make_app()
    # Flask would write a traceback to the terminal for every failure the demo means to have.
    app.logger.disabled = True
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # What would leave requests out is not left to the environment: the table is of all of them.
    wf_instrument.instrument(
        app,
        application="demo",
        service="shop",
        reporter=reporters,
        tick_s=0.5,
        enabled=True,
        metrics=True,
        excluded_urls=(),
        max_series=10_000,
    )
    in_hand = _InHand()
    server = _make_server(app, in_hand)
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    # Ctrl-C reaches the whole group; the parent decides when the server ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
    threading.Thread(target=_wait_for_parent, args=(done,), name="parent", daemon=True).start()
    _tell({"port": server.server_port})
    done.wait()
    server.shutdown()
    # The visitor has the last byte of an answer a moment before the request is recorded.
    in_hand.wait_for_none(_FINISH_TIMEOUT_S)
    wf_instrument.shutdown(_SHUTDOWN_TIMEOUT_S)


def _make_server(app: object, in_hand: _InHand) -> BaseWSGIServer:
    from werkzeug.serving import WSGIRequestHandler, make_server

    class KeepAliveHandler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def run_wsgi(self) -> None:
            with in_hand.one():
                super().run_wsgi()

        def log_request(self, *args: object) -> None:
            """Say nothing: the table at the end says it all."""

    server = make_server(
        "127.0.0.1",
        0,
        app,  # type: ignore[arg-type]  # any WSGI application
        threaded=True,
        request_handler=KeepAliveHandler,
    )
    # A visitor may keep its connection open; the process must not wait for it.
    server.daemon_threads = True  # type: ignore[attr-defined]  # of socketserver's mix-in
    return server


def _wait_for_parent(done: threading.Event) -> None:
    """End when standard input does, which it does when the parent is gone."""
    # Not through `sys.stdin`: a thread that holds its lock aborts the interpreter's end.
    descriptor = sys.stdin.fileno()
    while os.read(descriptor, 4096):
        pass
    done.set()


def _tell(answer: dict[str, object]) -> None:
    click.echo(json.dumps(answer))


if __name__ == "__main__":
    try:
        serve(json.loads(sys.stdin.buffer.readline()))
    except (ConfigError, StoreError) as error:
        _tell({"error": str(error)})
        sys.exit(2)
