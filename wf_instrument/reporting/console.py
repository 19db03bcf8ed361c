"""The console reporter: a table of rate, errors and duration to look at.

Threads: the pipeline's thread, or that of a flush.
Locks: `_lock` keeps the lines of a table together and guards `_spans`.
Fork: the child starts with a new lock and no spans counted.
Loss: what the stream does not take is counted in `dropped`.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, TextIO

from wf_instrument.forking import reset_after_fork
from wf_instrument.metrics.histogram import ExponentialHistogram
from wf_instrument.reporting.red_table import (
    RedRow,
    WebSocketRow,
    encodable,
    red_table,
    websocket_table,
)
from wf_instrument.reporting.snapshot import UNKNOWN_ROUTE

if TYPE_CHECKING:
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.reporter_url import ReporterUrl
    from wf_instrument.reporting.snapshot import RequestInterval, Snapshot, WebSocketInterval
    from wf_instrument.settings import Settings

__all__ = ["ConsoleReporter", "from_url"]


class ConsoleReporter:
    """Writes tables per interval that had requests or WebSockets, at most 80 columns wide.

    Args:
        stream: Where to; standard error when None.

    Attributes:
        dropped: Data that came when the stream was closed or absent.
    """

    default_interval_s = 10.0

    def __init__(self, stream: TextIO | None = None) -> None:
        self.dropped = 0
        self._stream = stream
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._spans = 0

    def report(self, snapshot: Snapshot) -> int:
        """Write the table."""
        data = snapshot.data_count
        with self._lock:
            # Spans come at every tick, ahead of the figures of the interval.
            self._spans += len(snapshot.spans)
            if snapshot.websockets or any(row.count for row in snapshot.requests):
                spans, self._spans = self._spans, 0
                if not self._write(_page(snapshot, spans)):
                    self.dropped += data
                    return 0
        return data

    def _write(self, text: str) -> bool:
        """Write to the stream, if there is one; caller holds `_lock`."""
        stream = self._stream or sys.stderr
        if stream is None:  # a process without a console, as under pythonw
            return False
        try:
            stream.write(encodable(text, stream.encoding))
            stream.flush()
        except (OSError, ValueError):  # nobody reads it any more, or it is closed
            return False
        return True

    def flush(self, timeout_s: float) -> bool:
        """Return True: everything is written at once."""
        return True

    def close(self, timeout_s: float) -> None:
        """Do nothing; the stream belongs to the process."""


def from_url(url: ReporterUrl, identity: Identity, settings: Settings) -> ConsoleReporter:
    """Make the reporter of `console://`."""
    url.check_query()
    return ConsoleReporter()


def _page(snapshot: Snapshot, spans: int) -> str:
    seconds = max((snapshot.ended_ns - snapshot.started_ns) / 1e9, 0.001)
    ended = time.strftime("%H:%M:%S", time.localtime(snapshot.ended_ns / 1e9))
    title = f"{ended}  last {seconds:.3g} s, {spans:,} spans"
    parts = [title]
    rows = _rows(snapshot.requests, seconds)
    if rows:
        parts.append(red_table(rows))
    if snapshot.websockets:
        parts.append(websocket_table(_websocket_rows(snapshot.websockets)))
    return "\n".join(parts) + "\n\n"


def _websocket_rows(websockets: tuple[WebSocketInterval, ...]) -> list[WebSocketRow]:
    groups: dict[str, WebSocketRow] = {}
    for row in websockets:
        route = row.key.route or UNKNOWN_ROUTE
        known = groups.get(route) or WebSocketRow(route)
        groups[route] = WebSocketRow(
            route,
            known.in_flight + row.in_flight,
            known.ended + row.connections,
            known.errors + row.errors,
            known.received + row.messages_received,
            known.sent + row.messages_sent,
        )
    return sorted(groups.values(), key=lambda row: -(row.in_flight + row.ended))


def _rows(requests: tuple[RequestInterval, ...], seconds: float) -> list[RedRow]:
    groups: dict[tuple[str, str], list[RequestInterval]] = {}
    for row in requests:
        groups.setdefault((row.key.route or UNKNOWN_ROUTE, row.key.method), []).append(row)
    all_cpu_s = sum(row.cpu.sum for row in requests if row.cpu is not None)
    rows = []
    for (route, method), members in groups.items():
        latency = ExponentialHistogram()
        for row in members:
            latency.merge(row.latency)
        count = sum(row.count for row in members)
        if not count:
            continue  # work that outlasted its request's interval counts no request
        cpu_s = sum(row.cpu.sum for row in members if row.cpu is not None)
        rows.append(
            RedRow(
                route=route,
                method=method,
                count=count,
                rate_per_s=count / seconds,
                errors=sum(row.count for row in members if row.key.is_error),
                p50_s=latency.quantile(0.5),
                p95_s=latency.quantile(0.95),
                p99_s=latency.quantile(0.99),
                cpu_share=cpu_s / all_cpu_s if all_cpu_s else 0.0,
            )
        )
    return sorted(rows, key=lambda row: -row.count)
