"""The tables of a local store, and opening one.

Latency, CPU and sizes are histograms in bytes, one row a series, process and ten seconds; any
quantile over any window is one merge of rows.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from wf_instrument.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SLOT_S", "connect", "create"]

#: Seconds of one row.
SLOT_S: Final = 10

#: Raised with every change of the tables; kept in `PRAGMA user_version`.
_VERSION: Final = 1

_BUSY_TIMEOUT_S: Final = 5.0

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


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open an existing store.

    Raises:
        StoreError: It is missing, no store, damaged, or of a newer version.
    """
    if not path.is_file():
        raise StoreError(
            f"local store {path} does not exist; run an instrumented application first, "
            "or name another file"
        )
    try:
        connection = sqlite3.connect(
            f"file:{_quoted(path)}?mode={'ro' if read_only else 'rw'}",
            uri=True,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,  # transactions are begun by hand, and immediately
            check_same_thread=False,
        )
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
    except sqlite3.Error as exc:
        raise StoreError(
            f"local store {path} cannot be read as a database: {exc}; "
            "move the file away or name another one"
        ) from exc
    if version > _VERSION or (read_only and version == 0):
        connection.close()
        raise StoreError(
            f"local store {path} has version {version}, this program reads version {_VERSION}; "
            + ("upgrade wf-instrument" if version else "run an instrumented application first")
        )
    return connection


def create(path: Path) -> sqlite3.Connection:
    """Open a store for writing, making its tables where they are missing.

    Raises:
        StoreError: As `connect`.
    """
    connection = connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # A crash of the machine may cost the last interval, never the file.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _TABLES.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")
    except sqlite3.Error as exc:
        connection.close()
        raise StoreError(
            f"local store {path} cannot be written: {exc}; move the file away or name another one"
        ) from exc
    return connection


def _quoted(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path.absolute()))
