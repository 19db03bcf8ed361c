"""Serves the page: uvicorn in a thread of its own.

Threads: `wf-instrument-dashboard` runs the event loop; `start`, `stop` and `wait` are called by
    the thread that owns the server.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Final

import uvicorn

from wf_instrument.backends.local import StoreReader
from wf_instrument.dashboard.application import make_app
from wf_instrument.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DashboardServer"]

_LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1", "::1")


class DashboardServer:
    """The live page of one store.

    Args:
        store: The store's file; made when it is missing, so that the page can be open first.
        host: Address to listen on.
        port: Port to listen on, 0 for any free one.
        token: What visitors must show; demanded when `host` is not loopback.

    Raises:
        ConfigError: The port is taken, or a token is missing.
        StoreError: The store cannot be read.
    """

    def __init__(
        self, store: Path, *, host: str = "127.0.0.1", port: int = 0, token: str | None = None
    ) -> None:
        if host not in _LOOPBACK_HOSTS and not token:
            raise ConfigError(
                f"the page would be open to the network on {host!r}; give a token (--token-file), "
                "or listen on 127.0.0.1"
            )
        self._reader = _reader(store)
        self._is_stopping = threading.Event()
        try:
            self._socket = _listen(host, port)
        except ConfigError:
            self._reader.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}/"
        app = make_app(
            self._reader,
            hosts={*_LOOPBACK_HOSTS, host},
            token=token,
            is_stopping=self._is_stopping.is_set,
        )
        config = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run,
            args=([self._socket],),
            name="wf-instrument-dashboard",
            daemon=True,
        )

    def start(self) -> None:
        """Begin to serve; returns when the page answers."""
        self._thread.start()
        # The socket listens already: whoever connects now is served as soon as the loop runs.

    def wait(self) -> None:
        """Block until the server ends or the user interrupts."""
        try:
            while self._thread.is_alive():
                self._thread.join(0.5)
        except KeyboardInterrupt:
            pass

    def stop(self, timeout_s: float) -> None:
        """End live streams and the server; a second call does nothing."""
        self._is_stopping.set()
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self._socket.close()
        self._reader.close()


def _reader(store: Path) -> StoreReader:
    """Return a reader, over a store made empty if nobody has written yet."""
    from wf_instrument.backends.local import LocalReporter

    if not store.exists():
        LocalReporter(store).close(0)
    return StoreReader(store)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(64)
    except OSError as exc:
        listener.close()
        raise ConfigError(
            f"the page cannot listen on {host}:{port}: {exc.strerror}; choose another --port"
        ) from exc
    return listener
