"""Connections to a store that no fork can inherit.

SQLite keeps one table of open files and locks per process. A child that inherits it believes
that it holds the locks its parent held: what it writes is lost when the parent closes, without
an error anywhere. So a fork waits until no connection is in use, and closes the idle ones.

Threads: any; each borrows a connection for itself.
Locks: `_gate.state` guards the counts of the gate and the idle connections of every pool; nothing
    is read or written under it.
Fork: the parent's connections are closed before; both sides open new ones when they need them.
    A fork that waited `_FORK_WAIT_S` in vain goes on, and its child gets no connection at all.
Loss: none here; a child without connections refuses, which its reporter counts.
"""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from wf_instrument.errors import StoreError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["ConnectionPool"]

#: Longest time a fork of the application waits for a transaction of ours to end.
_FORK_WAIT_S: Final = 5.0

_FileId = tuple[int, int]


class _Gate:
    """Open while nobody forks; knows how many connections are in use and where idle ones are."""

    def __init__(self) -> None:
        self.pools: weakref.WeakSet[ConnectionPool] = weakref.WeakSet()
        self.is_tainted = False
        self.reset()

    def reset(self) -> None:
        """Start afresh: with a lock that no other thread of a parent can have held."""
        self.state = threading.Condition()
        self.in_use = 0
        self.forking = 0

    def enter(self) -> None:
        """Wait until nobody forks, and keep others from it."""
        with self.state:
            if self.is_tainted:
                raise StoreError(
                    "the local store cannot be used in this process: it was forked while its "
                    "parent was writing; fork earlier, or use the spawn start method"
                )
            self.state.wait_for(lambda: not self.forking)
            self.in_use += 1

    def leave(self) -> None:
        """Let others fork."""
        with self.state:
            self.in_use -= 1
            self.state.notify_all()

    def before_fork(self) -> None:
        """Wait for connections in use, close idle ones."""
        with self.state:
            self.forking += 1
            self.state.wait_for(lambda: not self.in_use, _FORK_WAIT_S)
            pools = list(self.pools)
        for pool in pools:
            pool.close_idle()

    def after_in_parent(self) -> None:
        """Go on."""
        with self.state:
            self.forking -= 1
            self.state.notify_all()

    def after_in_child(self) -> None:
        """Go on, unless a connection was inherited after all."""
        self.is_tainted = self.is_tainted or self.in_use > 0
        self.reset()


_gate = _Gate()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_gate.before_fork,
        after_in_parent=_gate.after_in_parent,
        after_in_child=_gate.after_in_child,
    )


class ConnectionPool:
    """Lends connections to one file, and opens new ones when it was replaced.

    Args:
        path: The file.
        open_connection: Opens one.
        max_idle: How many are kept open while nobody uses them.
    """

    def __init__(
        self, path: Path, open_connection: Callable[[], sqlite3.Connection], max_idle: int = 1
    ) -> None:
        self.path = path
        self._open = open_connection
        self._max_idle = max_idle
        self._idle: list[tuple[sqlite3.Connection, _FileId | None]] = []
        self._is_closed = False
        _gate.pools.add(self)

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection; the process does not fork meanwhile.

        Raises:
            StoreError: The pool is closed, or the file cannot be opened.
        """
        _gate.enter()
        try:
            connection, file_id = self._take()
            try:
                yield connection
            finally:
                self._give_back(connection, file_id)
        finally:
            _gate.leave()

    def close(self) -> None:
        """Close idle connections now, and those in use when they come back."""
        self._is_closed = True
        # Of a tainted process there are none, and nothing may be touched.
        with suppress(StoreError):
            _gate.enter()
            try:
                self.close_idle()
            finally:
                _gate.leave()

    def close_idle(self) -> None:
        """Close the connections that nobody uses. The caller is in the gate, or shut it."""
        with _gate.state:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def _take(self) -> tuple[sqlite3.Connection, _FileId | None]:
        if self._is_closed:
            raise StoreError(f"local store {self.path} was closed; open it again to use it")
        file_id = self._file_id()
        while True:
            with _gate.state:
                if not self._idle:
                    break
                connection, its_id = self._idle.pop()
            if its_id == file_id:
                return connection, file_id
            connection.close()  # of a file that was moved or deleted since
        connection = self._open()
        return connection, self._file_id()

    def _give_back(self, connection: sqlite3.Connection, file_id: _FileId | None) -> None:
        with _gate.state:
            if (
                not self._is_closed
                and not connection.in_transaction
                and len(self._idle) < self._max_idle
            ):
                self._idle.append((connection, file_id))
                return
        connection.close()

    def _file_id(self) -> _FileId | None:
        try:
            known = self.path.stat()
        except OSError:
            return None
        return known.st_dev, known.st_ino
