"""The local reporter: hands snapshots to a thread that writes them into the store.

Threads: the pipeline calls `report`; the thread `wf-instrument-store`, started by the first
    report of a process, owns the writer and its connection.
Locks: `_state` guards the queue and wakes the thread; nothing is written under it.
Fork: the child starts with an empty queue, no thread and no connection.
Loss: a full queue refuses the newest snapshot, which the pipeline counts as refused.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.local.paths import default_path, prepare
from wf_instrument.backends.local.schema import create
from wf_instrument.backends.local.writer import StoreWriter
from wf_instrument.errors import ConfigError, StoreError
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import RateLimitedLog

if TYPE_CHECKING:
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.reporter_url import ReporterUrl
    from wf_instrument.reporting.snapshot import Snapshot
    from wf_instrument.settings import Settings

__all__ = ["LocalReporter", "from_url"]

log = logging.getLogger(__name__)

_MAX_QUEUED: Final = 60
DEFAULT_RETENTION_S: Final = 86_400.0
DEFAULT_MAX_BYTES: Final = 256 * 1024 * 1024


class LocalReporter:
    """Reports to an embedded store that `wf-instrument ui` shows.

    Args:
        path: The store's file; made when missing, with its folder.
        retention_s: How long figures are kept.
        max_bytes: How large the file may become.

    Raises:
        StoreError: The file cannot be made, written, or is no store.
    """

    default_interval_s = 1.0

    def __init__(
        self,
        path: Path,
        *,
        retention_s: float = DEFAULT_RETENTION_S,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        self.path = path
        self._retention_s = retention_s
        self._max_bytes = max_bytes
        self._log = RateLimitedLog(log)
        prepare(path)
        # Opened and closed: a damaged file is told at start, and no connection outlives a fork.
        create(path).close()
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._state = threading.Condition()
        self._queue: deque[Snapshot] = deque()
        self._thread: threading.Thread | None = None
        self._is_writing = False
        self._is_closed = False

    def report(self, snapshot: Snapshot) -> int:
        """Queue the snapshot; 0 when the queue is full or the reporter closed."""
        with self._state:
            if self._is_closed or len(self._queue) >= _MAX_QUEUED:
                return 0
            self._queue.append(snapshot)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, args=(self._state,), name="wf-instrument-store", daemon=True
                )
                try:
                    self._thread.start()
                except RuntimeError:
                    # The interpreter is going down and starts no thread: `close` writes.
                    self._thread = None
            self._state.notify_all()
        return (
            len(snapshot.requests)
            + len(snapshot.points)
            + len(snapshot.distributions)
            + len(snapshot.spans)
        )

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything queued is in the store."""
        with self._state:
            return self._state.wait_for(lambda: not self._queue and not self._is_writing, timeout_s)

    def close(self, timeout_s: float) -> None:
        """Write what is queued and end the thread; a second call does nothing."""
        with self._state:
            if self._is_closed:
                return
            self._is_closed = True
            thread, self._thread = self._thread, None
            self._state.notify_all()
        if thread is not None:
            thread.join(timeout_s)
        elif self._queue:
            self._run(self._state)

    def _run(self, state: threading.Condition) -> None:
        writer: StoreWriter | None = None
        try:
            while True:
                with state:
                    self._is_writing = False
                    state.notify_all()
                    state.wait_for(lambda: self._queue or self._is_closed)
                    if not self._queue:
                        return
                    snapshot = self._queue.popleft()
                    self._is_writing = True
                writer = self._write(writer, snapshot)
        finally:
            if writer is not None:
                writer.close()

    def _write(self, writer: StoreWriter | None, snapshot: Snapshot) -> StoreWriter | None:
        """Write one snapshot; a failing one is kept by the writer as far as its bound allows."""
        begun = time.monotonic()
        try:
            if writer is None:
                writer = StoreWriter(self.path, self._retention_s, self._max_bytes)
            writer.write(snapshot)
        except (sqlite3.Error, StoreError, OSError) as error:
            self._log.warning(
                "write",
                "local store %s could not be written after %.1f s: %s",
                self.path,
                time.monotonic() - begun,
                error,
            )
        return writer


def from_url(url: ReporterUrl, identity: Identity, settings: Settings) -> LocalReporter:
    """Make the reporter of `local://` or `local:///path/file.db`.

    Parameters: `retention` in seconds, `max_bytes`.
    """
    url.check_query("retention", "max_bytes")
    if url.host or url.user:
        raise ConfigError(
            f"reporter URL {url} names a host; write local:// or local:///path/file.db"
        )
    path = Path(url.path) if url.path.strip("/") else default_path(settings.service)
    return LocalReporter(
        path,
        retention_s=url.number("retention", DEFAULT_RETENTION_S, minimum=60),
        max_bytes=int(url.number("max_bytes", DEFAULT_MAX_BYTES, minimum=1_000_000)),
    )
