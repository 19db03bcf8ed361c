"""Which of the processes of one service on one host this is: the lowest number that is free.

A number is a POSIX lock on a file, which the kernel lets go of when the process ends, however it
ends, and which a forked child does not inherit.

Threads: any. Locks: `_lock` guards `_held`; between processes: locks on files, never waited for.
Fork: the child holds nothing, and takes a number of its own when it first reports.
Loss: where no lock is to be had the number is 0; series of several processes may then overwrite
    each other, which is logged once.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import tempfile
import threading
from pathlib import Path
from typing import Final

from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import RateLimitedLog

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # `_HAS_LOCKS` tells

__all__ = ["WorkerSlots", "run_folder", "taken_slot"]

log = logging.getLogger(__name__)

_HAS_LOCKS: Final[bool] = fcntl is not None

#: More processes of one service on one host share the last number.
_MAX_SLOTS: Final = 1024


def run_folder() -> Path:
    """Return the user's folder of locks; it may not exist yet.

    Source:
        XDG Base Directory Specification, `$XDG_RUNTIME_DIR`.
    """
    # Windows has no user ids, nor the locks.
    user = os.geteuid() if hasattr(os, "geteuid") else 0
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    # The specification wants relative paths ignored.
    if runtime.is_absolute() and os.access(runtime, os.W_OK):
        return runtime / "wf-instrument"
    return Path(tempfile.gettempdir()) / f"wf-instrument-{user}"


class WorkerSlots:
    """The numbers that this process holds, one for each name it reports under."""

    def __init__(self) -> None:
        self._log = RateLimitedLog(log)
        self._held: dict[Path, tuple[int, int]] = {}
        self._lock = threading.Lock()
        reset_after_fork(self._in_child)

    def _in_child(self) -> None:
        self._lock = threading.Lock()
        # A POSIX lock belongs to the process: closing here lets go of none of the parent's.
        for descriptor, _ in self._held.values():
            os.close(descriptor)
        self._held = {}

    def take(self, name: str, folder: Path | None = None) -> int:
        """Return this process' number among those that report as `name`, taking it at first.

        Args:
            name: What makes two processes write to the same series.
            folder: Where the locks are; the user's own by default.
        """
        if not _HAS_LOCKS:
            return 0
        digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:16]
        base = (folder or run_folder()) / digest
        with self._lock:
            held = self._held.get(base)
            if held is None:
                try:
                    held = self._take(base)
                except OSError as error:
                    self._log.warning("slot", "no worker slot in %s: %s", base.parent, error)
                    return 0
                self._held[base] = held
            return held[1]

    def _take(self, base: Path) -> tuple[int, int]:
        """Return the descriptor of the lowest free number, and the number. Caller holds `_lock`."""
        _prepare(base.parent)
        for slot in range(_MAX_SLOTS):
            path = base.with_name(f"{base.name}.{slot}")
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
            descriptor = os.open(path, flags, 0o600)
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):  # POSIX allows either
                os.close(descriptor)
            except OSError:
                os.close(descriptor)
                raise
            else:
                return descriptor, slot
        raise OSError(f"all {_MAX_SLOTS} are taken")


def _prepare(folder: Path) -> None:
    """Make the folder, or see that it is ours alone.

    Raises:
        PermissionError: It is somebody else's.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    known = folder.lstat()
    if not stat.S_ISDIR(known.st_mode) or known.st_uid != os.geteuid():
        raise PermissionError(f"{folder} is not a folder of this user")
    if stat.S_IMODE(known.st_mode) != 0o700:
        folder.chmod(0o700)


_slots = WorkerSlots()


def taken_slot(application: str, service: str, source: str) -> int:
    """Return the number of this process among those that report as the same three."""
    return _slots.take("\0".join((application, service, source)))
