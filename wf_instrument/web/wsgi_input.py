"""Counts the request body as the application reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wf_instrument.guard import caught

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wf_instrument.web.request import RequestRecord

__all__ = ["CountedInput"]


class CountedInput:
    """A `wsgi.input` that behaves like the server's own and adds what is read to the record."""

    def __init__(self, stream: Any, request: RequestRecord) -> None:
        self._stream = stream
        self._request = request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[bytes]:
        for line in self._stream:
            yield self._count(line)

    def read(self, *size: int) -> bytes:
        """Read like the server's stream."""
        return self._count(self._stream.read(*size))

    def readline(self, *size: int) -> bytes:
        """Read a line like the server's stream."""
        return self._count(self._stream.readline(*size))

    def readlines(self, *hint: int) -> Iterable[bytes]:
        """Read lines like the server's stream."""
        lines = self._stream.readlines(*hint)
        for line in lines:
            self._count(line)
        return lines  # type: ignore[no-any-return]  # as the server gave them

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer like the server's stream."""
        size: int = self._stream.readinto(buffer)
        self._request.request_bytes += size or 0  # a stream that would block says None
        return size

    def _count(self, data: bytes) -> bytes:
        try:
            self._request.request_bytes += len(data)
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("wsgi.input", error)
        return data
