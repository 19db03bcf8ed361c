"""The local reporter: hands snapshots to a thread that writes them into the store.

Threads: the pipeline calls `report`; the thread `wf-instrument-store`, started by the first
    report of a process, owns the writer and its connections.
Locks: `_state` guards the queue and wakes the thread; nothing is written under it.
Fork: the child starts with an empty queue, no thread and no connection.
Loss: a snapshot stays queued until it is stored, however long the store is locked or the disk
    full; a full queue refuses the newest, which the pipeline counts as refused. `dropped` counts
    what the store refuses for good, and what is left when the time to close is over.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.local.connections import ConnectionPool
from wf_instrument.backends.local.paths import default_path, prepare
from wf_instrument.backends.local.schema import BUSY_TIMEOUT_S, create
from wf_instrument.backends.local.snapshot_rows import storable
from wf_instrument.backends.local.writer import StoreWriter
from wf_instrument.errors import ConfigError, StoreError
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import RateLimitedLog
from wf_instrument.suppression import suppressed

if TYPE_CHECKING:
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.reporter_url import ReporterUrl
    from wf_instrument.reporting.snapshot import Snapshot
    from wf_instrument.settings import Settings

__all__ = ["LocalReporter", "from_url"]

log = logging.getLogger(__name__)

_MAX_QUEUED: Final = 60
_RETRY_S: Final = 0.1
#: What may be over at the next attempt: locked, disk full, file gone.
_PASSING: Final = (sqlite3.OperationalError, StoreError)
DEFAULT_RETENTION_S: Final = 86_400.0
DEFAULT_MAX_BYTES: Final = 256 * 1024 * 1024


class LocalReporter:
    """Reports to an embedded store that `wf-instrument ui` shows.

    Args:
        path: The store's file; made when missing, with its folder.
        retention_s: How long figures are kept.
        max_bytes: How large the file may become.

    Attributes:
        dropped: Data that were taken and then could not be stored.

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
        # Opened and closed again: a damaged file is told at start.
        pool = ConnectionPool(path, lambda: create(path))
        with suppressed(), pool.connection():
            pool.close()
        self._is_closed = False
        self._give_up_s = 0.0
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self.dropped = 0
        self._state = threading.Condition()
        self._queue: deque[Snapshot] = deque()
        self._thread: threading.Thread | None = None

    def report(self, snapshot: Snapshot) -> int:
        """Queue the snapshot; 0 when the queue is full or the reporter closed.

        Points that are no finite number are not taken.
        """
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
        return _data_in(snapshot)

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything queued is in the store."""
        with self._state:
            return self._state.wait_for(lambda: not self._queue, timeout_s)

    def close(self, timeout_s: float) -> None:
        """Write what is queued and end the thread; a second call does nothing."""
        with self._state:
            if self._is_closed:
                return
            self._is_closed = True
            self._give_up_s = time.monotonic() + timeout_s
            thread, self._thread = self._thread, None
            self._state.notify_all()
        if thread is not None:
            thread.join(timeout_s)
        elif self._queue:
            self._run(self._state)

    @suppressed()
    def _run(self, state: threading.Condition) -> None:
        writer = StoreWriter(self.path, self._retention_s, self._max_bytes)
        trouble_since_s: float | None = None
        try:
            while True:
                with state:
                    state.wait_for(lambda: self._queue or self._is_closed)
                    if not self._queue:
                        return
                    snapshot = self._queue[0]
                error = self._write(writer, snapshot)
                with state:
                    if error is None:
                        # Taken off only now, so that `flush` knows of it until it is stored.
                        self._queue.popleft()
                        trouble_since_s = None
                    elif not self._wait_after(state, error, trouble_since_s):
                        return
                    else:
                        trouble_since_s = trouble_since_s or time.monotonic()
                    state.notify_all()
        finally:
            writer.close()

    def _write(self, writer: StoreWriter, snapshot: Snapshot) -> Exception | None:
        """Write one snapshot; return why it has to be tried again, or None when done with it."""
        try:
            writer.write(snapshot)
        except _PASSING as error:
            return error
        except Exception as error:  # noqa: BLE001 - one bad datum must not end the thread
            self._drop(_data_in(snapshot), error)
            return None
        try:
            writer.trim_when_due(snapshot.ended_ns / 1e9)
        except Exception as error:  # noqa: BLE001 - as above
            self._log.warning("trim", "local store %s could not be trimmed: %s", self.path, error)
        return None

    def _wait_after(
        self, state: threading.Condition, error: Exception, since_s: float | None
    ) -> bool:
        """Wait a moment after a failure; False when there is no time left. Caller holds `state`."""
        now_s = time.monotonic()
        if self._is_closed and now_s >= self._give_up_s:
            self._drop(sum(map(_data_in, self._queue)), error)
            self._queue.clear()
            state.notify_all()
            return False
        # Others may hold the store for a moment; that is no trouble worth a line.
        if since_s is not None and now_s - since_s >= BUSY_TIMEOUT_S:
            self._log.warning(
                "write",
                "local store %s could not be written for %.0f s, trying on: %s",
                self.path,
                now_s - since_s,
                error,
            )
        state.wait(_RETRY_S)
        return True

    def _drop(self, count: int, error: Exception) -> None:
        self.dropped += count
        self._log.warning("drop", "dropped %d data, local store %s: %s", count, self.path, error)


def _data_in(snapshot: Snapshot) -> int:
    return snapshot.data_count - len(snapshot.points) + len(storable(snapshot.points))


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
