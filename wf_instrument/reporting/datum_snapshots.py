"""Single data for a reporter that takes snapshots: one snapshot for each time and source.

Threads: one.
Loss: what the reporter does not take of a snapshot is counted in `lost`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from wf_instrument.metrics.delta_counter import DELTA_PREFIXES
from wf_instrument.metrics.histogram import ExponentialHistogram
from wf_instrument.reporting.datum import HistogramDatum, MetricDatum, SpanDatum
from wf_instrument.reporting.snapshot import MinuteDistribution, Point, SnapshotDraft
from wf_instrument.tracing.span_data import SpanData

if TYPE_CHECKING:
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.datum import Datum
    from wf_instrument.reporting.reporter import Reporter

__all__ = ["DatumSnapshots"]

_MAX_WAITING: Final = 1000
_LOW_HALF: Final = (1 << 64) - 1


class DatumSnapshots:
    """A `DatumReporter` on any reporter.

    Args:
        reporter: Takes the snapshots; not closed here.
        identity: Whose application tags they carry, and their source where a datum has none.

    Attributes:
        lost: Data of snapshots that the reporter did not take.
    """

    def __init__(self, reporter: Reporter, identity: Identity) -> None:
        self.lost = 0
        self._reporter = reporter
        self._identity = identity
        self._drafts: dict[tuple[int | None, str | None], SnapshotDraft] = {}
        self._waiting = 0

    def wait_when_full(self, timeout_s: float) -> None:
        """Do nothing: what a reporter does not take of a snapshot is counted."""

    def put(self, datum: Datum) -> None:
        """Keep one datum for the next snapshots.

        Raises:
            ValueError: No snapshot holds such data.
        """
        if isinstance(datum, MetricDatum):
            is_delta = datum.name.startswith(DELTA_PREFIXES)
            name = datum.name[1:] if is_delta else datum.name
            point = Point(name, datum.value, "delta" if is_delta else "gauge", datum.tags)
            self._draft(datum.timestamp_s, datum.source).points.append(point)
        elif isinstance(datum, HistogramDatum):
            histogram = ExponentialHistogram()
            for mean, count in datum.centroids:
                histogram.add_weighted(mean, count)
            time_s = int(time.time()) if datum.timestamp_s is None else datum.timestamp_s
            row = MinuteDistribution(datum.name, time_s // 60 * 60, histogram, datum.tags)
            self._draft(datum.timestamp_s, datum.source).distributions.append(row)
        elif isinstance(datum, SpanDatum):
            self._draft(None, datum.source).spans.append(_span_data(datum))
        else:
            raise ValueError("only Wavefront takes events and span logs")
        self._waiting += 1
        if self._waiting >= _MAX_WAITING:
            self.hand_over()

    def hand_over(self) -> None:
        """Report what was put."""
        drafts, self._drafts, self._waiting = self._drafts, {}, 0
        for (time_s, source), draft in drafts.items():
            at_ns = time.time_ns() if time_s is None else time_s * 1_000_000_000
            identity = replace(self._identity, source=source or self._identity.source)
            snapshot = draft.freeze(identity, at_ns, at_ns)
            given = len(draft.points) + len(draft.distributions) + len(draft.spans)
            self.lost += given - min(self._reporter.report(snapshot), given)

    def flush(self, timeout_s: float) -> bool:
        """Report what was put and have the reporter deliver it; False if it did not in time."""
        self.hand_over()
        return self._reporter.flush(timeout_s)

    def _draft(self, time_s: int | None, source: str | None) -> SnapshotDraft:
        return self._drafts.setdefault((time_s, source), SnapshotDraft())


def _span_data(datum: SpanDatum) -> SpanData:
    return SpanData(
        name=datum.name,
        trace_id=datum.trace_id.int,
        # As for a span id of this library: the low half of the UUID.
        span_id=datum.span_id.int & _LOW_HALF,
        start_ns=datum.start_ms * 1_000_000,
        duration_ns=datum.duration_ms * 1_000_000,
        tags=datum.tags,
        parents=tuple((datum.trace_id.int, one.int & _LOW_HALF) for one in datum.parents),
        follows_from=tuple((datum.trace_id.int, one.int & _LOW_HALF) for one in datum.follows_from),
        is_error=("error", "true") in datum.tags,
    )
