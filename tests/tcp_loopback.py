"""A TCP receiver of lines on 127.0.0.1, as the raw ports of a Wavefront proxy are."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from changing import Changing

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


class LineReceiver(Changing):
    """Accepts connections and keeps what they say, while its `with` block runs.

    Args:
        port: 0 for any; that of an earlier receiver to come back where it was.
    """

    def __init__(self, port: int = 0) -> None:
        self.texts: list[str] = []
        super().__init__()
        self._sockets: list[socket.socket] = []
        self._readers: list[threading.Thread] = []
        self._accepter = threading.Thread(target=self._accept, daemon=True)
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._accepter.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Accept no more, and hang up on everyone."""
        if self._listener.fileno() != -1:
            # Closing alone does not wake the thread that accepts.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self.hang_up()
        for thread in (self._accepter, *self._readers):
            thread.join(10)

    def hang_up(self) -> None:
        """End the connections in both directions."""
        for connection in self._sockets:
            # Its own thread may have closed it meanwhile, or the other side.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def half_close(self) -> None:
        """Say that nothing more will be said, but keep listening."""
        for connection in self._sockets:
            connection.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connections off, as a proxy that is killed does."""
        for connection in self._sockets:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.shutdown(socket.SHUT_RD)  # wakes the thread that reads, which closes
        for thread in self._readers:
            thread.join(10)

    @property
    def connection_count(self) -> int:
        """How many connections there were so far."""
        return len(self.texts)

    @property
    def lines(self) -> list[str]:
        """All lines, connection after connection."""
        return [line for text in self.texts for line in text.splitlines(keepends=True)]

    def wait_for_lines(self, count: int, timeout_s: float = 10) -> list[str]:
        """Return all lines once there are `count`, or what there is after `timeout_s`."""
        self.wait_until(lambda: len(self.lines) >= count, timeout_s)
        return self.lines

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                number = len(self.texts)
                self.texts.append("")
                self._sockets.append(connection)
                self._changed.notify_all()
            reader = threading.Thread(target=self._read, args=(connection, number), daemon=True)
            self._readers.append(reader)
            reader.start()

    def _read(self, connection: socket.socket, number: int) -> None:
        with connection:
            while True:
                try:
                    data = connection.recv(65536)
                except OSError:
                    data = b""
                if not data:
                    break
                with self._changed:
                    self.texts[number] += data.decode()
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()
