"""Tables of rate, errors and duration per route, and of WebSockets; at most 80 columns wide."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["RedRow", "WebSocketRow", "duration_text", "encodable", "red_table", "websocket_table"]

WIDTH: Final = 80
_HEAD: Final = ("requests", "rate/s", "errors", "p50", "p95", "p99", "CPU")
_WEBSOCKET_HEAD: Final = ("open", "ended", "errors", "received", "sent")
_UNITS: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
#: What stands in for the table's own characters where the output cannot show them.
_PLAIN: Final = str.maketrans("─…µ", "-~u")


@dataclass(frozen=True, slots=True)
class RedRow:
    """One route and method; times in seconds, `cpu_share` from 0 to 1."""

    route: str
    method: str
    count: int
    rate_per_s: float
    errors: int
    p50_s: float
    p95_s: float
    p99_s: float
    cpu_share: float


@dataclass(frozen=True, slots=True)
class WebSocketRow:
    """The WebSocket connections of one route; messages `received` and `sent`."""

    route: str
    in_flight: int = 0
    ended: int = 0
    errors: int = 0
    received: int = 0
    sent: int = 0


def red_table(rows: Iterable[RedRow]) -> str:
    """Return the table, without a newline at its end; long routes lose their middle."""
    rows = list(rows)
    labels = ["route", *(_label(row.method, row.route) for row in rows)]
    return _table(labels, [_HEAD, *map(_figures, rows)])


def websocket_table(rows: Iterable[WebSocketRow]) -> str:
    """Return the table of WebSockets, in the same form."""
    rows = list(rows)
    labels = ["websocket", *(_label("WS", row.route) for row in rows)]
    return _table(labels, [_WEBSOCKET_HEAD, *map(_websocket_figures, rows)])


def _table(labels: list[str], table: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    room = max(WIDTH - sum(widths) - 2 * len(widths), 12)
    labels = [_shorten(label, room) for label in labels]
    first = max(map(_columns, labels))
    lines = [
        label
        + " " * (first - _columns(label))
        + "".join("  " + cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        for label, cells in zip(labels, table, strict=True)
    ]
    lines.insert(1, "─" * len(lines[0]))
    return "\n".join(lines)


def encodable(text: str, encoding: str | None) -> str:
    """Return `text` as an output of that encoding can show it, no wider than before."""
    known = encoding or "utf-8"
    try:
        text.encode(known)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(known, "replace").decode(known)
    except LookupError:  # an encoding of the terminal's own invention
        return encodable(text, "ascii")
    return text


def duration_text(seconds: float) -> str:
    """Return a duration with three digits and its unit, `12.3ms`."""
    for size, unit in _UNITS:
        if seconds >= size:
            return _digits(seconds / size) + unit
    return _digits(seconds * 1e6) + "µs" if seconds else "0"


def _digits(number: float) -> str:
    if number >= 99.95:
        return f"{number:.0f}"
    return f"{number:.1f}" if number >= 9.995 else f"{number:.2f}"


def _figures(row: RedRow) -> Sequence[str]:
    share = row.errors / row.count if row.count else 0.0
    return (
        f"{row.count:,}",
        _digits(row.rate_per_s),
        f"{share:.1%}" if row.errors else "0",
        duration_text(row.p50_s),
        duration_text(row.p95_s),
        duration_text(row.p99_s),
        f"{row.cpu_share:.0%}",
    )


def _websocket_figures(row: WebSocketRow) -> Sequence[str]:
    figures = (row.in_flight, row.ended, row.errors, row.received, row.sent)
    return tuple(f"{figure:,}" for figure in figures)


def _label(method: str, route: str) -> str:
    # A route may hold anything; a terminal obeys control characters.
    text = f"{method} {route}"
    return "".join(char if char.isprintable() else "?" for char in text)


def _columns(text: str) -> int:
    return len(text) if text.isascii() else sum(map(_columns_of, text))


def _columns_of(char: str) -> int:
    """Columns a terminal gives a character: two to a wide one, none to one put on the last."""
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _shorten(text: str, width: int) -> str:
    if _columns(text) <= width:
        return text
    tail = (width - 1) // 2
    head = _taken(text, width - 1 - tail)
    return head + "…" + _taken(text[::-1], tail)[::-1]


def _taken(text: str, room: int) -> str:
    """Return as much of the start of `text` as fits."""
    for index, char in enumerate(text):
        room -= _columns_of(char)
        if room < 0:
            return text[:index]
    return text
