"""What a store forgets: by age, by number, and by size of its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wf_instrument.backends.local.schema import SLOT_S

if TYPE_CHECKING:
    import sqlite3

__all__ = ["forget_unused_series", "give_back", "trim"]

_MAX_SPANS: Final = 50_000
_MAX_UNMATCHED: Final = 1_000
#: Each round deletes the oldest fifth of what there is; thirty leave less than a hundredth.
_ROUNDS: Final = 30
#: Pages given back to the file system at a time, lest one trim holds the store for long.
_VACUUM_PAGES: Final = 2_000


def trim(connection: sqlite3.Connection, oldest_s: float, max_bytes: int) -> None:
    """Delete what is older than `oldest_s`; then the oldest, while the file is too large.

    To be called within a transaction.
    """
    _forget_before(connection, oldest_s)
    rare_paths = (
        "DELETE FROM unmatched WHERE path NOT IN"
        " (SELECT path FROM unmatched ORDER BY count DESC, seen_s DESC LIMIT ?)"
    )
    for statement, bound in (
        ("DELETE FROM processes WHERE last_s < ?", oldest_s),
        ("DELETE FROM in_flight WHERE seen_s < ?", oldest_s),
        ("DELETE FROM unmatched WHERE seen_s < ?", oldest_s),
        ("DELETE FROM spans WHERE id <= (SELECT max(id) FROM spans) - ?", _MAX_SPANS),
        (rare_paths, _MAX_UNMATCHED),
    ):
        connection.execute(statement, (bound,))
    for _ in range(_ROUNDS):
        if _used_bytes(connection) <= max_bytes or not _forget_oldest_fifth(connection):
            break


def give_back(connection: sqlite3.Connection) -> None:
    """Return free pages to the file system; outside of a transaction.

    Raises:
        sqlite3.OperationalError: Another process is writing.
    """
    # As a script: the statement yields a row a page, and `execute` stops after the first.
    connection.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")


def forget_unused_series(connection: sqlite3.Connection) -> None:
    """Delete the names of series that have no figures any more.

    To be called within a transaction.
    """
    connection.execute("DELETE FROM series WHERE id NOT IN (SELECT series_id FROM slots)")


def _used_bytes(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _forget_oldest_fifth(connection: sqlite3.Connection) -> bool:
    """Delete the oldest fifth of figures and of spans; False when there is nothing to delete."""
    before = connection.total_changes
    first, last = connection.execute(
        "SELECT min(slot_s), max(slot_s) FROM"
        " (SELECT slot_s FROM slots UNION SELECT slot_s FROM websockets)"
    ).fetchone()
    if first is not None and first < last:  # the slot being written stays
        _forget_before(connection, first + max(SLOT_S, (last - first) / 5))
    connection.execute(
        "DELETE FROM spans WHERE id <= (SELECT min(id) + (max(id) - min(id)) / 5 FROM spans)"
    )
    return connection.total_changes > before


def _forget_before(connection: sqlite3.Connection, oldest_s: float) -> None:
    for statement, bound in (
        ("DELETE FROM slots WHERE slot_s < ?", oldest_s),
        ("DELETE FROM websockets WHERE slot_s < ?", oldest_s),
        ("DELETE FROM distributions WHERE minute_s < ?", oldest_s),
        ("DELETE FROM spans WHERE start_ns < ?", int(oldest_s * 1e9)),
        ("DELETE FROM points WHERE seen_s < ?", oldest_s),
    ):
        connection.execute(statement, (bound,))
