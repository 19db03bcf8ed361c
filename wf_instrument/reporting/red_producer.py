"""RED metrics of a tracer as points and distributions of the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wf_instrument.reporting.snapshot import MinuteDistribution, Point

if TYPE_CHECKING:
    from wf_instrument.reporting.snapshot import SnapshotDraft
    from wf_instrument.tracing.red_metrics import RedMetrics

__all__ = ["RedProducer"]


class RedProducer:
    """Drains RED metrics into snapshots."""

    def __init__(self, red_metrics: RedMetrics) -> None:
        self._red_metrics = red_metrics

    def drain_into(self, draft: SnapshotDraft) -> None:
        """Add what was recorded since the last time."""
        counts, durations = self._red_metrics.drain()
        draft.points += [Point(name, value, "delta", tags) for name, value, tags in counts]
        draft.distributions += [
            MinuteDistribution(name, minute_s, histogram, tags)
            for name, minute_s, histogram, tags in durations
        ]
