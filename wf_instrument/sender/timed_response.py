"""Answers that have to be complete within one time-out, however slowly their bytes come.

A socket's own time-out begins anew with each byte that arrives: a receiver that sends a header byte
by byte would hold its client for hours.

Threads: one at a time, as for a connection.
"""

from __future__ import annotations

import http.client
import io
import time
from functools import cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from urllib3.connectionpool import HTTPConnectionPool

__all__ = ["timed_pool_classes"]


class _TimedReader(io.RawIOBase):
    """Reads from a socket until a time-out is over, once for all reads.

    The next request over the connection sets the socket's time-out anew.
    """

    def __init__(self, raw: io.RawIOBase, connection: socket.socket, timeout_s: float) -> None:
        self._raw = raw
        self._connection = connection
        self._deadline = time.monotonic() + timeout_s

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]  # what io gives
        rest_s = self._deadline - time.monotonic()
        if rest_s <= 0:
            raise TimeoutError("the answer took too long")
        self._connection.settimeout(rest_s)
        return cast("int | None", self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """Has the socket's time-out for all of the answer."""

    def __init__(self, sock: socket.socket, debuglevel: int = 0, method: str | None = None) -> None:
        super().__init__(sock, debuglevel, method)
        timeout_s = sock.gettimeout()
        if timeout_s is not None:
            raw = self.fp.detach()
            self.fp = io.BufferedReader(_TimedReader(raw, sock, timeout_s))


@cache
def timed_pool_classes() -> Mapping[str, type[HTTPConnectionPool]]:
    """Return urllib3's classes of pools, by scheme, with such answers."""
    from urllib3 import connection, connectionpool

    class TimedConnection(connection.HTTPConnection):
        response_class = _TimedResponse

    class TimedTlsConnection(connection.HTTPSConnection):
        response_class = _TimedResponse

    class TimedPool(connectionpool.HTTPConnectionPool):
        ConnectionCls = TimedConnection

    class TimedTlsPool(connectionpool.HTTPSConnectionPool):
        ConnectionCls = TimedTlsConnection

    return {"http": TimedPool, "https": TimedTlsPool}
