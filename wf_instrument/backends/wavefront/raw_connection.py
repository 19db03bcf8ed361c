"""Lines over a TCP connection to one port of a Wavefront proxy.

Threads: any; one at a time connects and writes.
Locks: `_lock` is held while on the network, so that lines do not mix: a thread that sends waits for
    the one before it, each for no longer than the time-outs of connecting and writing.
Fork: the child closes its copy of the connection, which the parent keeps, and makes its own.
Loss: the protocol has no receipts. A line is taken for sent once the system has it; one that fails
    is sent again over a new connection, once, and may then arrive twice.
"""

from __future__ import annotations

import socket
import threading
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from wf_instrument.errors import SendError
from wf_instrument.forking import reset_after_fork
from wf_instrument.sender.retry import Backoff

if TYPE_CHECKING:
    from wf_instrument.backends.wavefront.sdk_metrics import WavefrontSdkMetricsRegistry

__all__ = ["ConnectionHandler", "ProxyConnectionHandler"]

_TIMEOUT_S: Final = 10.0
#: After a connection that failed, lines are refused at once for a while: each is lost anyway, and
#: its caller should not wait for every one.
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
#: A pause lasts at least so many times as long as the try that failed, for a proxy that swallows
#: connections to take a fifth of the callers' time at most.
_PAUSE_FACTOR: Final = 4


class ConnectionHandler(ABC):
    """A connection that counts its failures."""

    def __init__(self) -> None:
        self._failures = 0

    @abstractmethod
    def connect(self) -> None:
        """Open the connection unless it is open."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    def get_failure_count(self) -> int:
        """Return how many data could not be sent."""
        return self._failures

    def increment_failure_count(self) -> None:
        """Count a datum that could not be sent."""
        self._failures += 1


class ProxyConnectionHandler(ConnectionHandler):
    """Writes lines to a port of a proxy; connects when needed, again when the proxy hung up.

    Args:
        address: Host name or address of the proxy.
        port: Its port.
        registry: Counts writes and connects, successes and errors, as delta counters; or None.
        entity_prefix: In front of these counters' names.
        timeout: Seconds that connecting, and writing, may take; 10 when None.
    """

    def __init__(
        self,
        address: str,
        port: int,
        registry: WavefrontSdkMetricsRegistry | None,
        entity_prefix: str | None = None,
        timeout: float | None = None,
    ) -> None:
        super().__init__()
        self._address = (address, int(port))
        self._timeout_s = _TIMEOUT_S if timeout is None else timeout
        prefix = f"{entity_prefix}." if entity_prefix else ""
        self._counters = (
            {}
            if registry is None
            else {
                what: registry.new_delta_counter(prefix + what)
                for what in ("write.success", "write.errors", "connect.success", "connect.errors")
            }
        )
        self._socket: socket.socket | None = None
        self._backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._not_before_s = 0.0
        self._lock = threading.Lock()
        reset_after_fork(self._in_child)

    def __repr__(self) -> str:
        return f"ProxyConnectionHandler({self._address[0]!r}, {self._address[1]})"

    @property
    def is_connected(self) -> bool:
        """Whether a connection is open, as far as this end knows."""
        return self._socket is not None

    def connect(self) -> None:
        """Open the connection unless it is open, whether or not the last try just failed.

        Raises:
            SendError: The proxy did not accept it.
        """
        with self._lock:
            self._connect()

    def close(self) -> None:
        """Close the connection; the next line opens it again."""
        with self._lock:
            self._disconnect()

    def send_data(self, line_data: str, reconnect: bool = True) -> None:
        """Write a line, or several.

        Args:
            line_data: The text, its newlines included.
            reconnect: Whether to try once more over a new connection when this one fails.

        Raises:
            SendError: The proxy could not be reached, hung up, or did not let us connect a moment
                ago; counted as a failure.
        """
        data = line_data.encode("utf-8", "replace")
        with self._lock:
            try:
                self._write(data, reconnect=reconnect)
            except SendError:
                self.increment_failure_count()
                self._count("write.errors")
                raise
            self._count("write.success")

    def _write(self, data: bytes, *, reconnect: bool) -> None:
        """Caller holds `_lock`."""
        if self._socket is not None and _is_hung_up(self._socket):
            self._disconnect()
            if not reconnect:
                raise self._error("write to", "the proxy hung up")
        is_fresh = self._socket is None
        rest_s = self._not_before_s - time.monotonic()
        if is_fresh and rest_s > 0:
            raise self._error("connect to", f"no new try for another {rest_s:.1f} s")
        try:
            self._connect().sendall(data)
        except OSError as exc:
            self._disconnect()
            # A connection made just now that fails would fail again.
            if is_fresh or not reconnect:
                raise self._error("write to", exc) from exc
            self._write(data, reconnect=False)

    def _connect(self) -> socket.socket:
        """Caller holds `_lock`."""
        if self._socket is None:
            begun_s = time.monotonic()
            try:
                self._socket = socket.create_connection(self._address, self._timeout_s)
            except OSError as exc:
                now_s = time.monotonic()
                pause_s = max(self._backoff.next_pause_s(None), _PAUSE_FACTOR * (now_s - begun_s))
                self._not_before_s = now_s + pause_s
                self._count("connect.errors")
                raise self._error("connect to", exc) from exc
            self._backoff.reset()
            self._not_before_s = 0.0
            self._count("connect.success")
        return self._socket

    def _disconnect(self) -> None:
        """Caller holds `_lock`."""
        connection, self._socket = self._socket, None
        if connection is not None:
            with suppress(OSError):  # the other end may be gone already
                connection.close()

    def _count(self, what: str) -> None:
        if what in self._counters:
            self._counters[what].inc()

    def _error(self, doing: str, why: object) -> SendError:
        host, port = self._address
        return SendError(f"could not {doing} the proxy at {host}:{port}: {why}; is it running?")

    def _in_child(self) -> None:
        self._lock = threading.Lock()
        self._failures = 0
        self._disconnect()


def _is_hung_up(connection: socket.socket) -> bool:
    """Return whether the other end closed, which writing would find out one line too late."""
    timeout_s = connection.gettimeout()
    try:
        connection.setblocking(False)
        # A proxy says nothing on these ports; if one does, it is read and forgotten.
        while connection.recv(4096):
            pass
    except BlockingIOError:
        connection.settimeout(timeout_s)
        return False
    except OSError:
        return True
    return True
