"""The table of WebSocket connections: a row a route, process and ten seconds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.local.schema import SLOT_S
from wf_instrument.backends.local.snapshot_rows import as_json, as_text, bytes_of, histogram_from
from wf_instrument.metrics.histogram import ExponentialHistogram
from wf_instrument.reporting.merge import merge_websockets
from wf_instrument.reporting.snapshot import WebSocketEnd, WebSocketInterval, WebSocketKey

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from wf_instrument.backends.local.results import WebSocketSummary

__all__ = ["WebSocketSlots", "summarize_websockets", "write_websockets"]

#: The columns of figures, in the order of `_row`.
_VALUES: Final = (
    "in_flight, messages_received, messages_sent, received_bytes, sent_bytes, ends, cpu_s,"
    " duration, blocked"
)

#: What was seen a moment ago stands in a slot that began no longer before.
_LOOK_BACK_S: Final = 60

#: The sums of a writer, by start of the slot and key.
WebSocketSlots = dict[tuple[int, WebSocketKey], WebSocketInterval]


def write_websockets(
    connection: sqlite3.Connection,
    writer_id: str,
    slot_s: int,
    websockets: Iterable[WebSocketInterval],
    known: WebSocketSlots,
    now_s: float,
) -> WebSocketSlots:
    """Write the sums of what is known and what is new, and return them.

    To be called within a transaction.
    """
    rows: WebSocketSlots = {}
    for new in websockets:
        slot = (slot_s, new.key)
        before = rows.get(slot) or known.get(slot)
        if before is None:
            before = _stored(connection, writer_id, slot_s, new.key)
        rows[slot] = new if before is None else merge_websockets(before, new)
    connection.executemany(
        "INSERT OR REPLACE INTO websockets VALUES"
        " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (slot_s, _text_of(key), writer_id, *map(as_text, _columns(key)), *_values(row, now_s))
            for (slot_s, key), row in rows.items()
        ],
    )
    return rows


def summarize_websockets(
    connection: sqlite3.Connection, since_s: float, until_s: float, alive_s: float
) -> list[WebSocketSummary]:
    """Return a row a route of what happened in a window, the busiest first.

    Args:
        connection: To a store, of any version.
        since_s: Unix time of the start, seconds.
        until_s: Unix time of the end, seconds.
        alive_s: What is in flight counts if it was seen since then.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < 2:  # nobody has written there since this table is known
        return []
    open_now = {
        tuple(names): count
        for *names, count in connection.execute(
            "SELECT framework, route, func, sum(in_flight) FROM (SELECT framework, route, func,"
            " in_flight, seen_s, max(slot_s) FROM websockets WHERE slot_s >= ?"
            " GROUP BY key, instance_id) WHERE seen_s >= ? GROUP BY framework, route, func",
            (alive_s - _LOOK_BACK_S, alive_s),
        )
    }
    rows: dict[tuple[str, str | None, str | None], WebSocketInterval] = {}
    for key, found in _between(connection, since_s, until_s):
        known = rows.get(key)
        rows[key] = found if known is None else merge_websockets(known, found)
    summaries = [_summary(key, row, open_now.get(key, 0)) for key, row in rows.items()]
    return sorted(summaries, key=lambda row: -(row.in_flight + row.connections))


def _between(
    connection: sqlite3.Connection, since_s: float, until_s: float
) -> Iterable[tuple[tuple[str, str | None, str | None], WebSocketInterval]]:
    for framework, route, func, scheme, *values in connection.execute(
        f"SELECT framework, route, func, scheme, {_VALUES} FROM websockets"  # noqa: S608 - ours
        " WHERE slot_s > ? AND slot_s <= ?",
        (since_s - SLOT_S, until_s),
    ):
        key = WebSocketKey(framework, route, func, None, scheme)
        yield (framework, route, func), _row(key, tuple(values))


def _summary(
    key: tuple[str, str | None, str | None], row: WebSocketInterval, in_flight: int
) -> WebSocketSummary:
    duration = row.duration or ExponentialHistogram()
    statuses: dict[int, int] = {}
    for end, count in row.ends:
        statuses[end.status] = statuses.get(end.status, 0) + count
    # Imported here: what writes uses this module too, and none of the rows that a reader answers.
    from wf_instrument.backends.local.results import WebSocketSummary

    return WebSocketSummary(
        *key,
        in_flight=in_flight,
        connections=row.connections,
        errors=row.errors,
        messages_received=row.messages_received,
        messages_sent=row.messages_sent,
        received_bytes=row.received_bytes,
        sent_bytes=row.sent_bytes,
        p50_s=duration.quantile(0.5),
        p95_s=duration.quantile(0.95),
        cpu_s=row.cpu_s or 0.0,
        statuses=tuple(sorted(statuses.items())),
    )


def _values(row: WebSocketInterval, now_s: float) -> tuple[object, ...]:
    return (
        row.in_flight,
        now_s,
        row.messages_received,
        row.messages_sent,
        row.received_bytes,
        row.sent_bytes,
        as_json([[end.status, end.outcome, end.error_type, count] for end, count in row.ends]),
        row.cpu_s,
        bytes_of(row.duration),
        bytes_of(row.blocked),
    )


def _row(key: WebSocketKey, values: tuple[Any, ...]) -> WebSocketInterval:
    in_flight, received, sent, received_bytes, sent_bytes, ends, cpu_s, duration, blocked = values
    return WebSocketInterval(
        key,
        in_flight,
        received,
        sent,
        received_bytes,
        sent_bytes,
        tuple((WebSocketEnd(*end), count) for *end, count in json.loads(ends)),
        histogram_from(duration),
        cpu_s,
        histogram_from(blocked),
    )


def _stored(
    connection: sqlite3.Connection, writer_id: str, slot_s: int, key: WebSocketKey
) -> WebSocketInterval | None:
    found = connection.execute(
        f"SELECT {_VALUES} FROM websockets"  # noqa: S608 - ours
        " WHERE slot_s = ? AND key = ? AND instance_id = ?",
        (slot_s, _text_of(key), writer_id),
    ).fetchone()
    return None if found is None else _row(key, found)


def _columns(key: WebSocketKey) -> tuple[str | None, ...]:
    return (key.framework, key.route, key.func, key.module, key.scheme)


def _text_of(key: WebSocketKey) -> str:
    return as_json(_columns(key))
