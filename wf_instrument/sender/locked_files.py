"""Locks on files and folders that end with the process, however it ends.

Threads: any.
Locks: `_lock` guards the set of held descriptors. Between processes: `flock`, never waited for.
Fork: the child closes what it inherited of held descriptors; the parent's locks stay the parent's.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from wf_instrument.forking import reset_after_fork

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # `has_locks` tells

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LockedFiles", "has_locks"]


def has_locks() -> bool:
    """Return whether the system has such locks."""
    return fcntl is not None


class LockedFiles:
    """The descriptors through which this process locks files."""

    def __init__(self) -> None:
        self._held: set[int] = set()
        self._lock = threading.Lock()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        for descriptor in self._held:
            with suppress(OSError):
                os.close(descriptor)
        self._held = set()

    def make(self, path: Path) -> int:
        """Return a descriptor that writes a file from its beginning. Raises OSError."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with self._lock:
            self._held.add(descriptor)  # for a child to close, forked meanwhile
        return descriptor

    def lock(self, descriptor: int) -> None:
        """Lock what a descriptor of `make` writes.

        Raises:
            BlockingIOError: Another one has it.
        """
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def claim(self, path: Path) -> int | None:
        """Return a descriptor that reads and locks a file; None when it is not to be had."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Delivered and deleted, or put in place anew, between the look and the lock.
            is_current = os.fstat(descriptor).st_ino == path.stat().st_ino
        except OSError:
            is_current = False
        if not is_current:
            os.close(descriptor)
            return None
        with self._lock:
            self._held.add(descriptor)
        return descriptor

    @contextmanager
    def claimed(self, path: Path) -> Iterator[int | None]:
        """Lend what `claim` returns."""
        descriptor = self.claim(path)
        try:
            yield descriptor
        finally:
            if descriptor is not None:
                self.let_go(descriptor)

    @contextmanager
    def alone_in(self, folder: Path) -> Iterator[bool]:
        """Lend the lock on a folder; False when another one has it."""
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            yield False
            return
        with self._lock:
            self._held.add(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_alone = True
        except BlockingIOError:
            is_alone = False
        except OSError:  # some file systems lock no folders
            is_alone = True
        try:
            yield is_alone
        finally:
            self.let_go(descriptor)

    def let_go(self, descriptor: int) -> None:
        """Unlock and close."""
        with self._lock:
            self._held.discard(descriptor)
        # Closing alone leaves it locked while a child has it too, forked before it was held.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)
