"""The file reporter: one JSON object a line, for other programs to read.

Threads: the pipeline's thread, or that of a flush, one at a time.
Fork: the file is opened for each report; whole lines are appended in one write, so several
    processes may share it.
Loss: what cannot be written, on a full disk for example, is counted in `dropped`. A line that
    was cut short is ended before the next one begins.
"""

from __future__ import annotations

import json
import logging
import math
import os
import stat
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wf_instrument.errors import ConfigError
from wf_instrument.guard import RateLimitedLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.identity import Identity
    from wf_instrument.metrics.histogram import ExponentialHistogram
    from wf_instrument.reporting.reporter_url import ReporterUrl
    from wf_instrument.reporting.snapshot import Exemplar, Snapshot, WebSocketInterval
    from wf_instrument.settings import Settings

__all__ = ["FileReporter", "from_url"]

log = logging.getLogger(__name__)

_FIGURES: Final = (
    "latency",
    "ttfb",
    "cpu",
    "queued",
    "background",
    "blocked",
    "request_bytes",
    "response_bytes",
)


class FileReporter:
    """Appends JSON lines of kind `request`, `websocket`, `point`, `distribution` and `span`.

    Every object names the process it is from: its source, its id and its application's tags.

    Args:
        path: The file; made with mode 0600 when missing.

    Attributes:
        dropped: Data that could not be written.

    Raises:
        ConfigError: It cannot be opened for writing.
    """

    default_interval_s = 10.0

    def __init__(self, path: Path) -> None:
        self.dropped = 0
        self._path = path
        self._is_torn = False
        self._log = RateLimitedLog(log)
        try:
            # A pipe that nobody reads would block, here and at every report.
            descriptor = self._open(os.O_NONBLOCK)
            kind = os.fstat(descriptor).st_mode
            os.close(descriptor)
        except OSError as exc:
            raise ConfigError(
                f"file reporter cannot write {str(path)!r}: {exc.strerror}; name another file"
            ) from exc
        if not stat.S_ISREG(kind) and not stat.S_ISCHR(kind):
            raise ConfigError(
                f"file reporter cannot write {str(path)!r}: it is no regular file; "
                "name another file"
            )

    def report(self, snapshot: Snapshot) -> int:
        """Append the snapshot's data."""
        lines = [_line(datum) for datum in _data(snapshot)]
        if not lines:
            return 0
        written = self._append("".join(lines).encode())
        if written < len(lines):
            self.dropped += len(lines) - written
        return written

    def _append(self, data: bytes) -> int:
        """Append whole lines; return how many of them are in the file."""
        lead = b"\n" if self._is_torn else b""
        rest = memoryview(lead + data)
        try:
            descriptor = self._open()
            try:
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            finally:
                os.close(descriptor)
        except OSError as error:
            self._log.warning("append", "file reporter cannot write: %s", error.strerror)
        done = (lead + data)[: len(lead) + len(data) - len(rest)]
        if done:
            self._is_torn = not done.endswith(b"\n")
        return done[len(lead) :].count(b"\n")

    def flush(self, timeout_s: float) -> bool:
        """Return True: everything is written at once."""
        return True

    def close(self, timeout_s: float) -> None:
        """Do nothing; no file is kept open."""

    def _open(self, more_flags: int = 0) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | more_flags
        return os.open(self._path, flags, 0o600)


def from_url(url: ReporterUrl, identity: Identity, settings: Settings) -> FileReporter:
    """Make the reporter of `file:///path.jsonl`."""
    url.check_query()
    if url.host or not url.path.strip("/"):
        raise ConfigError(f"reporter URL {url} names no file; write file:///path/name.jsonl")
    return FileReporter(Path(url.path))


def _line(datum: dict[str, object]) -> str:
    return json.dumps(datum, allow_nan=False) + "\n"


def _data(snapshot: Snapshot) -> Iterator[dict[str, object]]:
    who = {
        "source": snapshot.identity.source,
        "pid": snapshot.identity.pid,
        "application_tags": dict(snapshot.identity.tags.get_as_list()),
    }
    times = {"started_ns": snapshot.started_ns, "ended_ns": snapshot.ended_ns}
    for row in snapshot.requests:
        figures: dict[str, object] = {name: _summary(getattr(row, name)) for name in _FIGURES}
        key = {**asdict(row.key), "dimensions": dict(row.key.dimensions)}
        figures["exemplars"] = [_exemplar(one) for one in row.exemplars]
        yield {"kind": "request", **who, **times, **key, "count": row.count, **figures}
    for one in snapshot.websockets:
        yield {"kind": "websocket", **who, **times, **_websocket(one)}
    for point in snapshot.points:
        fields = {"name": point.name, "value": _finite(point.value), "of": point.kind}
        yield {"kind": "point", **who, **times, **fields, "tags": dict(point.tags)}
    for distribution in snapshot.distributions:
        yield {
            "kind": "distribution",
            **who,
            "name": distribution.name,
            "minute_s": distribution.minute_s,
            "tags": dict(distribution.tags),
            "centroids": distribution.histogram.centroids(128),
        }
    for span in snapshot.spans:
        yield {
            "kind": "span",
            **who,
            "name": span.name,
            "trace_id": f"{span.trace_id:032x}",
            "span_id": f"{span.span_id:016x}",
            "parents": [f"{parent:016x}" for _, parent in span.parents],
            "start_ns": span.start_ns,
            "duration_ns": span.duration_ns,
            "is_error": span.is_error,
            "tags": [list(pair) for pair in span.tags],
            "logs": [[log.timestamp_us, dict(log.fields)] for log in span.logs],
        }


def _websocket(row: WebSocketInterval) -> dict[str, object]:
    return {
        **asdict(row.key),
        "in_flight": row.in_flight,
        "connections": [{**asdict(end), "count": count} for end, count in row.ends],
        "messages_received": row.messages_received,
        "messages_sent": row.messages_sent,
        "received_bytes": row.received_bytes,
        "sent_bytes": row.sent_bytes,
        "cpu_s": row.cpu_s,
        "duration": _summary(row.duration),
        "blocked": _summary(row.blocked),
    }


def _exemplar(one: Exemplar) -> dict[str, object]:
    return {
        "trace_id": f"{one.trace_id:032x}",
        "span_id": f"{one.span_id:016x}",
        "value_s": one.value_s,
        "time_ns": one.time_ns,
    }


def _finite(value: float) -> float | None:
    # JSON has neither infinity nor NaN, and readers refuse the whole line.
    return value if math.isfinite(value) else None


def _summary(histogram: ExponentialHistogram | None) -> dict[str, float | None] | None:
    if histogram is None:
        return None
    quantiles = {f"p{q}": histogram.quantile(q / 100) for q in (50, 95, 99)}
    return {
        "count": histogram.count,
        "sum": _finite(histogram.sum),
        "min": histogram.min,
        "max": histogram.max,
        **quantiles,
    }
