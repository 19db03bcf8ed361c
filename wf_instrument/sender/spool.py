"""Batches that wait on disk: whole files in a folder that several processes share.

A file is written under another name, forced to disk and renamed into place, so what stands there
is whole, whatever happens to the process. A process that delivers a file holds a lock on it, which
ends with the process; the file is deleted after its delivery.

What is in a file may be more than one request carries: who delivers it cuts it into batches.

Layout: `FOLDER/DESTINATION/KIND/<time>-<process>-<number>.batch`; `.new` while it is written,
`.torn` when it cannot be read.

Threads: any.
Locks: `_lock` guards the number and the running total of bytes. Between processes, see
    `locked_files.py`: who writes or delivers a file locks it, who makes room the folder.
Fork: the child has a lock of its own; the parent's locks on files stay the parent's.
Loss: beyond `max_bytes` the oldest files go; who adds a file is told how many data that were.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wf_instrument.errors import ConfigError, SpoolError
from wf_instrument.forking import reset_after_fork
from wf_instrument.sender.locked_files import LockedFiles, has_locks
from wf_instrument.sender.spool_file import read_batch, read_header, write_batch

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
#: The folder is listed again when so much of its bound was added here since, or so long ago: what
#: other processes add is not in the running total.
_LIST_AGAIN_SHARE: Final = 1 / 64
_LIST_AGAIN_S: Final = 60.0
#: How often who makes room looks at most, while others may fill it again.
_ROUNDS: Final = 3


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
    """A file of the spool that this process alone delivers now.

    Attributes:
        batch: What is in it.
    """

    def __init__(self, spool: Spool, path: Path, descriptor: int, batch: Batch) -> None:
        self.batch = batch
        self._spool = spool
        self._path = path
        self._descriptor: int | None = descriptor

    def remove(self) -> None:
        """Delete the file: all of it is settled.

        Raises:
            OSError: It stays; this process does not deliver it again, another one may.
        """
        try:
            self._path.unlink(missing_ok=True)  # cleared by somebody
        except OSError:
            self._spool.pass_over(self._path)
            raise
        finally:
            self.let_go()

    def keep(self, rest: Batch) -> None:
        """Leave `rest` in the file's place for another try.

        Raises:
            OSError: What was settled could not be taken out, and will be delivered again.
        """
        try:
            if len(rest) != len(self.batch):
                self._spool.write(rest, self._path)
        finally:
            self._spool.come_back_to(self._path)
            self.let_go()

    def shrink(self, rest: Batch) -> None:
        """Take out what is settled so far, and go on with `rest`.

        Raises:
            OSError: All of it is still in the file.
        """
        held = self._spool.write_held(rest, self._path)
        self.let_go()
        self._descriptor, self.batch = held, rest

    def let_go(self) -> None:
        """Have others deliver what is left of the file. A second call does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self._spool.let_go(descriptor)


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
        if not has_locks():
            raise ConfigError(
                "a spool needs a system with flock, which this one has not; do without spool_dir"
            )
        self.path = folder / destination / kind
        self.kind = kind
        self.torn = 0
        self.destination = destination
        self._max_bytes = max_bytes
        self._sequence = 0
        self._locked = LockedFiles()
        self._lock = threading.Lock()
        self._total_bytes = 0
        self._added_bytes = 0  # since the folder was listed
        self._list_again_s = 0.0  # monotonic
        self._ahead: deque[Path] = deque()
        self._passed_over: set[Path] = set()
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
        self._ahead = deque()

    def next_path(self) -> Path:
        """Return the path of a file after all that were named before, for `add`."""
        with self._lock:
            self._sequence += 1
            name = f"{time.time_ns():020d}-{os.getpid()}-{self._sequence}{_WHOLE}"
        return self.path / name

    def add(self, batch: Batch, path: Path | None = None) -> int:
        """Write a batch; return how many data were deleted to make room for it.

        Args:
            batch: What to write.
            path: From `next_path`, of a batch older than some that are in the spool.

        Raises:
            OSError: It could not be written; nothing is left of the try.
        """
        at = self.next_path() if path is None else path
        self.write(batch, at)
        if path is not None:
            self.come_back_to(path)
        return self._make_room(at)

    def write(self, batch: Batch, path: Path) -> None:
        """Put a whole file in place, over the one that is there. Raises OSError."""
        self.let_go(self.write_held(batch, path))

    def write_held(self, batch: Batch, path: Path) -> int:
        """Put a whole file in place and return the descriptor that locks it. Raises OSError."""
        for tries_left in reversed(range(_WRITE_TRIES)):
            try:
                held = self._write_once(batch, path)
                break
            except (BlockingIOError, FileNotFoundError):
                if not tries_left:
                    raise
        self._sync_folder()
        return held

    def pass_over(self, path: Path) -> None:
        """Deliver a file no more: it is settled, but cannot be deleted."""
        self._passed_over.add(path)

    def come_back_to(self, path: Path) -> None:
        """Have the next claim begin with a file."""
        self._ahead.appendleft(path)

    def _write_once(self, batch: Batch, path: Path) -> int:
        new = path.with_suffix(_NEW)
        descriptor = self._locked.make(new)
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                # Held while it is written, so that others see that somebody is still at it.
                self._locked.lock(descriptor)
                write_batch(file, batch)
                file.flush()
                os.fsync(descriptor)
                new.rename(path)
        except BaseException:
            with suppress(OSError):
                new.unlink()
            self.let_go(descriptor)
            raise
        return descriptor

    def claim(self) -> ClaimedBatch | None:
        """Return the oldest batch that nobody else delivers, None when there is none."""
        for path in self._candidates():
            descriptor = self._locked.claim(path)
            if descriptor is None:
                continue
            try:
                with os.fdopen(descriptor, "rb", closefd=False) as file:
                    claimed = ClaimedBatch(self, path, descriptor, read_batch(file))
            except SpoolError:
                self._set_aside(path)
            except OSError:
                pass
            except BaseException:
                self.let_go(descriptor)
                raise
            else:
                return claimed
            self.let_go(descriptor)
        return None

    def _candidates(self) -> Iterator[Path]:
        """Yield the files, oldest first: first what is left of the last listing, then all."""
        # Listed anew for each file, a folder of thousands would be listed thousands of times.
        for is_listed in (False, True):
            if is_listed:
                self._ahead.extend(self._files())
            with suppress(IndexError):  # the last one; or another thread took it
                while True:
                    path = self._ahead.popleft()
                    if path not in self._passed_over:
                        yield path

    @property
    def is_empty(self) -> bool:
        """Whether no batch waits, of this or any other process."""
        try:
            with os.scandir(self.path) as entries:
                return not any(entry.name.endswith(_WHOLE) for entry in entries)
        except OSError:
            return True

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
            with self._locked.claimed(path) as descriptor:
                if descriptor is not None:
                    path.unlink(missing_ok=True)
                    count += 1
        return count

    def let_go(self, descriptor: int) -> None:
        """Unlock and close what a claim, or `write_held`, holds."""
        self._locked.let_go(descriptor)

    def _make_room(self, newest: Path) -> int:
        """Return how many data of the oldest files were deleted, for the bound to hold."""
        size = _size(newest)
        with self._lock:
            self._total_bytes += size
            self._added_bytes += size
            is_known = (
                self._added_bytes <= self._max_bytes * _LIST_AGAIN_SHARE
                and time.monotonic() < self._list_again_s
            )
            if is_known and self._total_bytes <= self._max_bytes:
                return 0
        with self._locked.alone_in(self.path) as is_alone:
            # Two at once would each delete what is too much. Who comes second leaves it to the
            # first, which looks again for that; what it misses is found with the next file.
            lost = 0
            for _ in range(_ROUNDS if is_alone else 0):
                count = self._delete_oldest(newest)
                lost += count
                if not count:
                    break
            return lost

    def _delete_oldest(self, newest: Path) -> int:
        files = [(path, _size(path)) for path in self._files()]
        total = sum(size for _, size in files)
        lost = 0
        for path, size in files:
            if total <= self._max_bytes:
                break
            if path == newest:  # not always the last: the clock may have been set back
                continue
            count = self._delete(path)
            if count is not None:
                lost += count
                total -= size
        with self._lock:
            self._total_bytes = total
            self._added_bytes = 0
            self._list_again_s = time.monotonic() + _LIST_AGAIN_S
        return lost

    def _delete(self, path: Path) -> int | None:
        """Return how many data went with a file, None when it is still there."""
        with self._locked.claimed(path) as descriptor:
            if descriptor is None:  # being delivered, or delivered since it was listed
                return None if path.exists() else 0
            count = 0
            with suppress(OSError, SpoolError), os.fdopen(descriptor, "rb", closefd=False) as file:
                count = read_header(file).count
            try:
                path.unlink(missing_ok=True)
            except OSError:  # the newest is in place whatever becomes of the oldest
                return None
        return count

    def _sweep(self) -> None:
        """Set aside what a process left that ended while it wrote."""
        for path in self._names():
            if path.suffix == _NEW:
                with self._locked.claimed(path) as descriptor:
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
