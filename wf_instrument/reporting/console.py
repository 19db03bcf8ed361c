"""The console reporter: a table of rate, errors and duration to look at.

Threads: the pipeline's thread, or that of a flush; `_lock` keeps lines together.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, TextIO

from wf_instrument.forking import reset_after_fork
from wf_instrument.metrics.histogram import ExponentialHistogram
from wf_instrument.reporting.red_table import RedRow, red_table
from wf_instrument.reporting.snapshot import UNKNOWN_ROUTE

if TYPE_CHECKING:
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.reporter_url import ReporterUrl
    from wf_instrument.reporting.snapshot import RequestInterval, Snapshot
    from wf_instrument.settings import Settings

__all__ = ["ConsoleReporter", "from_url"]


class ConsoleReporter:
    """Writes a table per interval that had requests, at most 80 columns wide.

    Args:
        stream: Where to; standard error when None.
    """

    default_interval_s = 10.0

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()

    def report(self, snapshot: Snapshot) -> int:
        """Write the table."""
        if snapshot.requests:
            seconds = max((snapshot.ended_ns - snapshot.started_ns) / 1e9, 0.001)
            ended = time.strftime("%H:%M:%S", time.localtime(snapshot.ended_ns / 1e9))
            spans = len(snapshot.spans)
            title = f"{ended}  last {seconds:.0f} s, {spans} spans"
            stream = self._stream or sys.stderr
            with self._lock:
                stream.write(f"{title}\n{red_table(_rows(snapshot.requests, seconds))}\n")
                stream.flush()
        return (
            len(snapshot.requests)
            + len(snapshot.points)
            + len(snapshot.distributions)
            + len(snapshot.spans)
        )

    def flush(self, timeout_s: float) -> bool:
        """Return True: everything is written at once."""
        return True

    def close(self, timeout_s: float) -> None:
        """Do nothing; the stream belongs to the process."""


def from_url(url: ReporterUrl, identity: Identity, settings: Settings) -> ConsoleReporter:
    """Make the reporter of `console://`."""
    url.check_query()
    return ConsoleReporter()


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
        cpu_s = sum(row.cpu.sum for row in members if row.cpu is not None)
        rows.append(
            RedRow(
                route=route,
                method=method,
                count=latency.count,
                rate_per_s=latency.count / seconds,
                errors=sum(row.count for row in members if row.key.is_error),
                p50_s=latency.quantile(0.5),
                p95_s=latency.quantile(0.95),
                p99_s=latency.quantile(0.99),
                cpu_share=cpu_s / all_cpu_s if all_cpu_s else 0.0,
            )
        )
    return sorted(rows, key=lambda row: -row.count)
