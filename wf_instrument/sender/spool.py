"""Batches that wait on disk: whole files in a folder that several processes share.

A file is written under another name, forced to disk and renamed into place, so what stands there
is whole, whatever happens to the process. A process that delivers a file holds a lock on it, which
ends with the process; the file is deleted after its delivery.

Layout: `FOLDER/DESTINATION/KIND/<time>-<process>-<number>.batch`; `.new` while it is written,
`.torn` when it cannot be read.

Threads: any.
Locks: `_lock` guards the number and the set of held descriptors. Between processes: `flock`.
Fork: the child closes what it inherited of held files; the parent's locks stay the parent's.
Loss: beyond `max_bytes` the oldest files go; who adds a file is told how many data that were.
"""

from __future__ import annotations

import os
import re
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wf_instrument.errors import ConfigError, SpoolError
from wf_instrument.forking import reset_after_fork
from wf_instrument.sender.spool_file import read_batch, read_header, write_batch

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # told when a spool is made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wf_instrument.sender.batch import Batch

__all__ = [
    "DEFAULT_MAX_BYTES",
    "ClaimedBatch",
    "Spool",
    "SpoolStatus",
    "destination_name",
    "spools_in",
]

DEFAULT_MAX_BYTES: Final = 1024 * 1024 * 1024
_WHOLE: Final = ".batch"
_NEW: Final = ".new"
_TORN: Final = ".torn"
#: Of a write that a process which starts just then took for one left by a dead process.
_WRITE_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """What waits of one kind, for one destination.

    Attributes:
        files: Batches.
        data: Data in them.
        byte_size: Bytes on disk, torn files included.
        oldest_s: Unix time of the oldest, None when there is none.
        torn: Files set aside because they cannot be read.
    """

    destination: str
    kind: str
    files: int
    data: int
    byte_size: int
    oldest_s: float | None
    torn: int


class ClaimedBatch:
    """A file of the spool that this process alone delivers now."""

    def __init__(self, spool: Spool, path: Path, descriptor: int, batch: Batch) -> None:
        self.batch = batch
        self._spool = spool
        self._path = path
        self._descriptor = descriptor

    def remove(self) -> None:
        """Delete the file: all of it is settled."""
        with suppress(FileNotFoundError):  # cleared by somebody
            self._path.unlink()
        self._spool.let_go(self._descriptor)

    def keep(self, rest: Batch) -> None:
        """Leave `rest` in the file's place for another try.

        Raises:
            OSError: What was settled could not be taken out, and will be delivered again.
        """
        try:
            if len(rest) != len(self.batch):
                self._spool.write(rest, self._path)
        finally:
            self._spool.let_go(self._descriptor)


class Spool:
    """The files of one destination and kind.

    Args:
        folder: Where all spools are; made with mode 0700.
        destination: Name of the receiver, from `destination_name`.
        kind: Kind of data.
        max_bytes: Bytes of this destination and kind.

    Attributes:
        path: The folder of these files.
        torn: Files set aside by this process because they could not be read.

    Raises:
        ConfigError: The folder cannot be made or written, or the system has no file locks.
    """

    def __init__(
        self, folder: Path, destination: str, kind: str, max_bytes: int = DEFAULT_MAX_BYTES
    ) -> None:
        if fcntl is None:
            raise ConfigError(
                "a spool needs a system with flock, which this one has not; do without spool_dir"
            )
        self.path = folder / destination / kind
        self.kind = kind
        self.torn = 0
        self.destination = destination
        self._max_bytes = max_bytes
        self._sequence = 0
        self._held: set[int] = set()
        self._lock = threading.Lock()
        try:
            for part in (folder, folder / destination, self.path):
                part.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(self.path, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(13, "Permission denied")
        except OSError as exc:
            raise ConfigError(
                f"spool folder {str(folder)!r} cannot be used: {exc.strerror}; name another one"
            ) from exc
        self._sweep()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        for descriptor in self._held:
            with suppress(OSError):
                os.close(descriptor)
        self._held = set()

    def add(self, batch: Batch) -> int:
        """Write a batch; return how many data were deleted to make room for it.

        Raises:
            OSError: It could not be written; nothing is left of the try.
        """
        with self._lock:
            self._sequence += 1
            name = f"{time.time_ns():020d}-{os.getpid()}-{self._sequence}{_WHOLE}"
        path = self.path / name
        self.write(batch, path)
        return self._make_room(path)

    def write(self, batch: Batch, path: Path) -> None:
        """Put a whole file in place, over the one that is there. Raises OSError."""
        for tries_left in reversed(range(_WRITE_TRIES)):
            try:
                self._write_once(batch, path)
            except (BlockingIOError, FileNotFoundError):
                if not tries_left:
                    raise
            else:
                break
        self._sync_folder()

    def _write_once(self, batch: Batch, path: Path) -> None:
        new = path.with_suffix(_NEW)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with self._lock:
            self._held.add(descriptor)  # for a child to close, forked meanwhile
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                # Held while it is written, so that others see that somebody is still at it.
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                write_batch(file, batch)
                file.flush()
                os.fsync(descriptor)
                new.rename(path)
        except BaseException:
            with suppress(OSError):
                new.unlink()
            raise
        finally:
            self.let_go(descriptor)

    @contextmanager
    def _opened(self, path: Path) -> Iterator[int | None]:
        """Lend a descriptor that locks the file, None when another one has it or it is gone."""
        descriptor = self._lock_file(path)
        try:
            yield descriptor
        finally:
            if descriptor is not None:
                self.let_go(descriptor)

    def claim(self) -> ClaimedBatch | None:
        """Return the oldest batch that nobody else delivers, None when there is none."""
        for path in self._files():
            descriptor = self._lock_file(path)
            if descriptor is None:
                continue
            try:
                with os.fdopen(descriptor, "rb", closefd=False) as file:
                    return ClaimedBatch(self, path, descriptor, read_batch(file))
            except SpoolError:
                self._set_aside(path)
            except OSError:
                pass
            self.let_go(descriptor)
        return None

    @property
    def is_empty(self) -> bool:
        """Whether no batch waits, of this or any other process."""
        return not self._files()

    def status(self) -> SpoolStatus:
        """Look what waits."""
        files = self._files()
        data = 0
        for path in files:
            with suppress(OSError, SpoolError), path.open("rb") as file:
                data += read_header(file).count
        torn = [path for path in self._names() if path.suffix in {_TORN, _NEW}]
        return SpoolStatus(
            destination=self.destination,
            kind=self.kind,
            files=len(files),
            data=data,
            byte_size=sum(_size(path) for path in (*files, *torn)),
            oldest_s=_time_of(files[0]) if files else None,
            torn=len([path for path in torn if path.suffix == _TORN]),
        )

    def clear(self) -> int:
        """Delete all batches that nobody delivers just now, and torn files; return their number."""
        count = 0
        for path in self._names():
            with self._opened(path) as descriptor:
                if descriptor is not None:
                    path.unlink(missing_ok=True)
                    count += 1
        return count

    def let_go(self, descriptor: int) -> None:
        """Unlock and close."""
        with self._lock:
            self._held.discard(descriptor)
        # Closing alone leaves it locked while a child has it too, forked before it was held.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)

    def _lock_file(self, path: Path) -> int | None:
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

    def _make_room(self, newest: Path) -> int:
        files = self._files()
        total = sum(map(_size, files))
        lost = 0
        for path in files:
            if total <= self._max_bytes:
                break
            if path == newest:  # not always the last: the clock may have been set back
                continue
            with self._opened(path) as descriptor:
                if descriptor is None:  # being delivered
                    continue
                size = _size(path)
                count = 0
                with (
                    suppress(OSError, SpoolError),
                    os.fdopen(descriptor, "rb", closefd=False) as file,
                ):
                    count = read_header(file).count
                try:
                    path.unlink(missing_ok=True)
                except OSError:  # the newest is in place whatever becomes of the oldest
                    continue
                lost += count
                total -= size
        return lost

    def _sweep(self) -> None:
        """Set aside what a process left that ended while it wrote."""
        for path in self._names():
            if path.suffix == _NEW:
                with self._opened(path) as descriptor:
                    if descriptor is None:
                        continue
                    if os.fstat(descriptor).st_size:
                        self._set_aside(path)
                    else:  # nothing was in it yet; somebody may even be about to lock and write it
                        with suppress(OSError):
                            path.unlink()

    def _set_aside(self, path: Path) -> None:
        self.torn += 1
        with suppress(OSError):
            path.rename(path.with_suffix(_TORN))

    def _names(self) -> list[Path]:
        try:
            return sorted(self.path.iterdir())
        except OSError:
            return []

    def _files(self) -> list[Path]:
        return [path for path in self._names() if path.suffix == _WHOLE]

    def _sync_folder(self) -> None:
        # Some file systems cannot; the rename is then as durable as they make it.
        with suppress(OSError):
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def spools_in(folder: Path, max_bytes: int = DEFAULT_MAX_BYTES) -> list[Spool]:
    """Return what spools there are in a folder, by destination and kind.

    Raises:
        ConfigError: One of them cannot be used.
    """
    try:
        found = sorted(path for path in folder.glob("*/*") if path.is_dir())
    except OSError as exc:
        raise ConfigError(f"spool folder {str(folder)!r} cannot be read: {exc.strerror}") from exc
    return [Spool(folder, path.parent.name, path.name, max_bytes) for path in found]


def destination_name(server: str) -> str:
    """Return the name of a receiver's folder: its URL with `_` for what is special in names."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", server).strip("_.") or "_"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _time_of(path: Path) -> float | None:
    digits = path.name.partition("-")[0]
    return int(digits) / 1e9 if digits.isdecimal() else None
