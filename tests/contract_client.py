"""A client that sees what is on the socket, and that may hang up in the middle of it."""

from __future__ import annotations

import re
import socket
import struct
from contextlib import suppress
from typing import Final

__all__ = ["Answer", "Connection", "exchange", "without_times"]

_TIMES: Final = re.compile(rb"\r\n(date|server-timing): [^\r\n]*", re.IGNORECASE)


def exchange(port: int, request: bytes) -> bytes:
    """Send a request that asks to close, and return all that comes back, without the Date."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        # A server may refuse a request before it has read all of it.
        with suppress(ConnectionError):
            connection.sendall(request)
        received = bytearray()
        with suppress(ConnectionError):
            while part := connection.recv(65536):
                received += part
    return without_times(bytes(received))


def without_times(raw: bytes) -> bytes:
    """Return an answer without the headers that tell the time."""
    head, separator, body = raw.partition(b"\r\n\r\n")
    return _TIMES.sub(b"", head) + separator + body


class Answer:
    """An answer's parts. A chunked body is put together."""

    def __init__(self, raw: bytes) -> None:
        head, _, rest = raw.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        self.status = int(first.split(b" ", 2)[1])
        self.headers = {
            name.strip().lower().decode("latin-1"): value.strip().decode("latin-1")
            for name, _, value in (line.partition(b":") for line in lines)
        }
        is_chunked = self.headers.get("transfer-encoding") == "chunked"
        self.body = _put_together(rest) if is_chunked else rest


def _put_together(rest: bytes) -> bytes:
    body = bytearray()
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size or b"0", 16)
        if not length:
            break
        body += rest[:length]
        rest = rest[length + 2 :]
    return bytes(body)


class Connection:
    """One connection, kept for several requests, or reset at any time."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._received = b""

    def send(self, request: bytes) -> None:
        self._socket.sendall(request)

    def read_some(self) -> bytes:
        """Return what has come, at least a byte unless it is over."""
        return self._socket.recv(65536)

    def read_answer(self) -> Answer:
        """Return the next answer of a kept connection."""
        while b"\r\n\r\n" not in self._received:
            self._more()
        head = self._received.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        length = Answer(head).headers.get("content-length")
        if length is None:
            while not self._received.endswith(b"0\r\n\r\n"):
                self._more()
            end = len(self._received)
        else:
            end = len(head) + int(length)
            while len(self._received) < end:
                self._more()
        raw, self._received = self._received[:end], self._received[end:]
        return Answer(raw)

    def _more(self) -> None:
        part = self._socket.recv(65536)
        assert part, f"the server hung up after {self._received!r}"
        self._received += part

    def reset(self) -> None:
        """Hang up without a farewell, as a client that crashed."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def close(self) -> None:
        self._socket.close()
