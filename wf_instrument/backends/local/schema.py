"""The tables of a local store, and opening one.

Latency, CPU and sizes are histograms in bytes, one row a series, process and ten seconds; any
quantile over any window is one merge of rows.
"""

from __future__ import annotations

import os
import sqlite3
import time
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

from wf_instrument.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["BUSY_TIMEOUT_S", "SLOT_S", "connect", "create"]

#: Seconds of one row.
SLOT_S: Final = 10

_LOCKED_PAUSE_S: Final = 0.005

_T = TypeVar("_T")

#: Raised with every change of the tables; kept in `PRAGMA user_version`.
_VERSION: Final = 2

#: Longest wait for another process' transaction.
BUSY_TIMEOUT_S: Final = 5.0
#: The write-ahead log is cut to this size when it was longer once.
_WAL_BYTES: Final = 16 * 1024 * 1024

#: As they were in version 1; a new store goes through every change, so that all are alike.
_TABLES: Final = """
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,  -- all columns below as JSON, since UNIQUE tells NULLs apart
    framework TEXT NOT NULL, route TEXT, func TEXT, module TEXT, method TEXT NOT NULL,
    status INTEGER NOT NULL, scheme TEXT NOT NULL, protocol TEXT NOT NULL, outcome TEXT NOT NULL,
    error_type TEXT, is_error INTEGER NOT NULL, dimensions TEXT NOT NULL
);
CREATE TABLE slots (
    slot_s INTEGER NOT NULL, series_id INTEGER NOT NULL, instance_id TEXT NOT NULL,
    count INTEGER NOT NULL, latency BLOB NOT NULL, cpu BLOB, ttfb BLOB, queued BLOB,
    request_bytes BLOB, response_bytes BLOB,
    PRIMARY KEY (slot_s, series_id, instance_id)
) WITHOUT ROWID;
CREATE TABLE in_flight (
    instance_id TEXT NOT NULL, framework TEXT NOT NULL, route TEXT, func TEXT,
    method TEXT NOT NULL, count INTEGER NOT NULL, seen_s REAL NOT NULL
);
CREATE INDEX in_flight_instance ON in_flight (instance_id);
CREATE TABLE processes (
    instance_id TEXT PRIMARY KEY, pid INTEGER NOT NULL, source TEXT NOT NULL, tags TEXT NOT NULL,
    total_in_flight INTEGER NOT NULL, first_s REAL NOT NULL, last_s REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE spans (
    id INTEGER PRIMARY KEY, trace_id TEXT NOT NULL, span_id TEXT NOT NULL, parents TEXT NOT NULL,
    follows_from TEXT NOT NULL, name TEXT NOT NULL, start_ns INTEGER NOT NULL,
    duration_ns INTEGER NOT NULL, is_error INTEGER NOT NULL, is_root INTEGER NOT NULL,
    tags TEXT NOT NULL, logs TEXT NOT NULL
);
CREATE INDEX spans_trace ON spans (trace_id);
CREATE INDEX spans_slowest ON spans (is_root, duration_ns);
CREATE TABLE points (
    instance_id TEXT NOT NULL, name TEXT NOT NULL, tags TEXT NOT NULL, kind TEXT NOT NULL,
    value REAL NOT NULL, seen_s REAL NOT NULL,
    PRIMARY KEY (instance_id, name, tags, kind)
) WITHOUT ROWID;
CREATE TABLE distributions (
    name TEXT NOT NULL, tags TEXT NOT NULL, minute_s INTEGER NOT NULL, instance_id TEXT NOT NULL,
    histogram BLOB NOT NULL,
    PRIMARY KEY (name, tags, minute_s, instance_id)
) WITHOUT ROWID;
CREATE TABLE unmatched (
    path TEXT PRIMARY KEY, count INTEGER NOT NULL, seen_s REAL NOT NULL
) WITHOUT ROWID;
"""

#: What each later version changes.
_CHANGES: Final = {
    2: """
ALTER TABLE slots ADD COLUMN background BLOB;
ALTER TABLE slots ADD COLUMN blocked BLOB;
CREATE TABLE websockets (
    slot_s INTEGER NOT NULL, key TEXT NOT NULL, instance_id TEXT NOT NULL,  -- key as of series
    framework TEXT NOT NULL, route TEXT, func TEXT, module TEXT, scheme TEXT NOT NULL,
    in_flight INTEGER NOT NULL, seen_s REAL NOT NULL,
    messages_received INTEGER NOT NULL, messages_sent INTEGER NOT NULL,
    received_bytes INTEGER NOT NULL, sent_bytes INTEGER NOT NULL,
    ends TEXT NOT NULL, cpu_s REAL, duration BLOB, blocked BLOB,
    PRIMARY KEY (slot_s, key, instance_id)
) WITHOUT ROWID;
""",
}


def connect(
    path: Path, *, read_only: bool = False, timeout_s: float = BUSY_TIMEOUT_S
) -> sqlite3.Connection:
    """Open an existing store.

    Raises:
        StoreError: It is missing, no store, damaged, or of a newer version.
    """
    _check_exists(path)
    try:
        connection = sqlite3.connect(
            # As bytes: a file name need not be text.
            f"file:{quote(os.fsencode(path.absolute()))}?mode={'ro' if read_only else 'rw'}",
            uri=True,
            timeout=timeout_s,
            isolation_level=None,  # transactions are begun by hand, and immediately
            check_same_thread=False,
        )
        try:
            version, tables = _patiently(lambda: _contents(connection), timeout_s)
        except sqlite3.Error:
            connection.close()
            raise
    except sqlite3.Error as exc:
        raise StoreError(
            f"local store {path} cannot be read as a database: {exc}; "
            "move the file away or name another one"
        ) from exc
    problem = _problem(version, tables, read_only)
    if problem:
        connection.close()
        raise StoreError(f"local store {path} {problem}")
    return connection


def create(path: Path, *, timeout_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    """Open a store for writing, making its tables, or bringing older ones up to date.

    Raises:
        StoreError: As `connect`.
    """
    connection = connect(path, timeout_s=timeout_s)
    try:
        _patiently(lambda: _set_up(connection), timeout_s)
    except sqlite3.Error as exc:
        connection.close()
        raise StoreError(
            f"local store {path} cannot be written: {exc}; move the file away or name another one"
        ) from exc
    return connection


def _set_up(connection: sqlite3.Connection) -> None:
    # Before anything is written: a file that has pages never becomes incremental.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        connection.execute("PRAGMA journal_mode = WAL")
    # A crash of the machine may cost the last interval, never the file.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    if _contents(connection)[0] < _VERSION:
        _bring_up_to_date(connection)


def _patiently(work: Callable[[], _T], timeout_s: float) -> _T:
    """Do `work` again while the file is locked: SQLite's own timeout leaves out some steps.

    Switching to the write-ahead log fails at once when another process does the same.
    """
    deadline_s = time.monotonic() + timeout_s
    while True:
        try:
            return work()
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() >= deadline_s:
                raise
        # No other process can wake us.
        time.sleep(_LOCKED_PAUSE_S)


def _check_exists(path: Path) -> None:
    try:
        if path.is_file():
            return
        reason = "is no file" if path.exists() else "does not exist"
    except OSError as exc:  # a folder on the way that we may not look into
        reason = f"cannot be reached: {exc.strerror}"
    raise StoreError(
        f"local store {path} {reason}; run an instrumented application first, or name another file"
    )


def _contents(connection: sqlite3.Connection) -> tuple[int, frozenset[str]]:
    """Return version and tables, as of one moment: another process may be making them."""
    connection.execute("BEGIN")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")
    return version, frozenset(name for (name,) in rows)


def _problem(version: int, tables: frozenset[str], read_only: bool) -> str | None:
    """Say why this is no store we can use; None when it is one."""
    if tables and (version == 0 or (version <= _VERSION and not tables >= {"series", "slots"})):
        return "is the database of another program, which is left alone; name another file"
    if version > _VERSION:
        return (
            f"has version {version}, this program reads version {_VERSION}; upgrade wf-instrument"
        )
    if version == 0 and read_only:
        return "holds nothing yet; run an instrumented application first"
    return None


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        scripts = [script for number, script in _CHANGES.items() if number > version]
        for script in scripts if version else [_TABLES, *scripts]:
            for statement in script.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
        if version < _VERSION:  # another process may have been quicker, even a newer program
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
