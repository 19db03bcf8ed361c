"""The file reporter: one JSON object a line, for other programs to read.

Threads: the pipeline's thread, or that of a flush, one at a time.
Fork: the file is opened for each report; whole lines are appended in one write, so several
    processes may share it.
Loss: what cannot be written is counted by the pipeline as a failure of the reporter.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wf_instrument.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.identity import Identity
    from wf_instrument.metrics.histogram import ExponentialHistogram
    from wf_instrument.reporting.reporter_url import ReporterUrl
    from wf_instrument.reporting.snapshot import Snapshot
    from wf_instrument.settings import Settings

__all__ = ["FileReporter", "from_url"]

_FIGURES: Final = ("latency", "ttfb", "cpu", "queued", "request_bytes", "response_bytes")


class FileReporter:
    """Appends JSON lines of kind `request`, `point`, `distribution` and `span` to a file.

    Args:
        path: The file; made with mode 0600 when missing.

    Raises:
        ConfigError: It cannot be opened for writing.
    """

    default_interval_s = 10.0

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            os.close(self._open())
        except OSError as exc:
            raise ConfigError(
                f"file reporter cannot write {str(path)!r}: {exc.strerror}; name another file"
            ) from exc

    def report(self, snapshot: Snapshot) -> int:
        """Append the snapshot's data."""
        lines = [json.dumps(datum) for datum in _data(snapshot)]
        if lines:
            descriptor = self._open()
            try:
                _write_all(descriptor, ("\n".join(lines) + "\n").encode())
            finally:
                os.close(descriptor)
        return len(lines)

    def flush(self, timeout_s: float) -> bool:
        """Return True: everything is written at once."""
        return True

    def close(self, timeout_s: float) -> None:
        """Do nothing; no file is kept open."""

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self._path, flags, 0o600)


def from_url(url: ReporterUrl, identity: Identity, settings: Settings) -> FileReporter:
    """Make the reporter of `file:///path.jsonl`."""
    url.check_query()
    if url.host or not url.path.strip("/"):
        raise ConfigError(f"reporter URL {url} names no file; write file:///path/name.jsonl")
    return FileReporter(Path(url.path))


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _data(snapshot: Snapshot) -> Iterator[dict[str, object]]:
    times = {"started_ns": snapshot.started_ns, "ended_ns": snapshot.ended_ns}
    for row in snapshot.requests:
        figures = {name: _summary(getattr(row, name)) for name in _FIGURES}
        yield {"kind": "request", **times, **asdict(row.key), "count": row.count, **figures}
    for point in snapshot.points:
        fields = {"name": point.name, "value": point.value, "of": point.kind}
        yield {"kind": "point", **times, **fields, "tags": dict(point.tags)}
    for distribution in snapshot.distributions:
        yield {
            "kind": "distribution",
            "name": distribution.name,
            "minute_s": distribution.minute_s,
            "tags": dict(distribution.tags),
            "centroids": distribution.histogram.centroids(128),
        }
    for span in snapshot.spans:
        yield {
            "kind": "span",
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


def _summary(histogram: ExponentialHistogram | None) -> dict[str, float] | None:
    if histogram is None:
        return None
    quantiles = {f"p{q}": histogram.quantile(q / 100) for q in (50, 95, 99)}
    return {
        "count": histogram.count,
        "sum": histogram.sum,
        "min": histogram.min,
        "max": histogram.max,
        **quantiles,
    }
