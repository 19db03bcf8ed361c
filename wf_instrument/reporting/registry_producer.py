"""Turns the metrics of a pyformance registry into points and distributions."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.guard import caught
from wf_instrument.metrics.delta_counter import DeltaCounter, get_delta_name
from wf_instrument.metrics.tagged_registry import decode_key
from wf_instrument.metrics.wavefront_histogram import WavefrontHistogram
from wf_instrument.reporting.snapshot import MinuteDistribution, Point, PointKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from wf_instrument.metrics.pyformance_shim import MetricsRegistry
    from wf_instrument.reporting.snapshot import SnapshotDraft, Tags

__all__ = ["RegistryProducer"]

# Source: pyformance, `MetricsRegistry.get_*_metrics`: the keys of a metric's values.
_RATES: Final[tuple[tuple[str, str], ...]] = (
    ("mean_rate", "get_mean_rate"),
    ("1m_rate", "get_one_minute_rate"),
    ("5m_rate", "get_five_minute_rate"),
    ("15m_rate", "get_fifteen_minute_rate"),
)
_STATISTICS: Final[tuple[tuple[str, str], ...]] = (
    ("avg", "get_mean"),
    ("sum", "get_sum"),
    ("max", "get_max"),
    ("min", "get_min"),
    ("std_dev", "get_stddev"),
)
_PERCENTILES: Final[tuple[tuple[str, float], ...]] = (
    ("50_percentile", 0.5),
    ("75_percentile", 0.75),
    ("95_percentile", 0.95),
    ("99_percentile", 0.99),
    ("999_percentile", 0.999),
)


class RegistryProducer:
    """Drains one registry into snapshots; any pyformance registry, tagged or not.

    Args:
        registry: Whose metrics to report.
        prefix: Put in front of every name.

    Attributes:
        skipped: How many values were NaN, infinite or no number, and so not reported.
    """

    def __init__(self, registry: MetricsRegistry, prefix: str = "") -> None:
        self._registry = registry
        self._prefix = prefix
        self.skipped = 0

    def drain_into(self, draft: SnapshotDraft, *, current_minute: bool = False) -> None:
        """Add the values of all metrics; deltas and past minutes are handed out once.

        Args:
            draft: Where they go.
            current_minute: Whether Wavefront histograms give their current minute too.
        """
        registry = self._registry
        for key, counter in _items(registry._counters):  # noqa: SLF001 - pyformance gives no metric objects otherwise
            self._guarded(draft, key, partial(self._counter, counter))
        for key, gauge in _items(registry._gauges):  # noqa: SLF001 - as above
            self._guarded(draft, key, partial(self._gauge, gauge))
        for key, meter in _items(registry._meters):  # noqa: SLF001 - as above
            self._guarded(draft, key, partial(self._meter, meter))
        for metrics in (registry._timers, registry._histograms):  # noqa: SLF001 - as above
            for key, metric in _items(metrics):
                if isinstance(metric, WavefrontHistogram):
                    self._distributions(draft, key, metric, current_minute)
                else:
                    self._guarded(draft, key, partial(self._statistics, metric))

    def _guarded(
        self,
        draft: SnapshotDraft,
        encoded: str,
        read: Callable[[], Iterable[tuple[str, object, PointKind]]],
    ) -> None:
        """Add the points of one metric; a failing one costs only itself."""
        try:
            key, tags = decode_key(encoded)
            pairs: Tags = tuple(tags.items())
            for value_key, value, kind in read():
                number = _number(value)
                if number is None:
                    self.skipped += 1
                    continue
                name = (
                    get_delta_name(self._prefix, key, value_key)
                    if kind == "delta"
                    else f"{self._prefix}{key}.{value_key}"
                )
                draft.points.append(Point(name, number, kind, pairs))
        except Exception as error:  # noqa: BLE001 - gauges call the user's code
            caught("registry", error)

    @staticmethod
    def _counter(counter: Any) -> list[tuple[str, object, PointKind]]:
        if isinstance(counter, DeltaCounter):
            change = counter.take()
            return [("count", change, "delta")] if change else []
        return [("count", counter.get_count(), "counter")]

    @staticmethod
    def _gauge(gauge: Any) -> list[tuple[str, object, PointKind]]:
        return [("value", gauge.get_value(), "gauge")]

    @staticmethod
    def _meter(meter: Any) -> Iterator[tuple[str, object, PointKind]]:
        yield "count", meter.get_count(), "counter"
        for name, method in _RATES:
            yield name, getattr(meter, method)(), "gauge"

    @staticmethod
    def _statistics(metric: Any) -> Iterator[tuple[str, object, PointKind]]:
        count = metric.get_count()
        yield "count", count, "counter"
        if not count:
            # pyformance gives its initial extremes, ±2147483647, for a metric without values.
            return
        for name, method in _STATISTICS:
            yield name, getattr(metric, method)(), "gauge"
        if hasattr(metric, "get_mean_rate"):
            for name, method in _RATES:
                yield name, getattr(metric, method)(), "gauge"
        snapshot = metric.get_snapshot()
        for name, share in _PERCENTILES:
            yield name, snapshot.get_percentile(share), "gauge"

    def _distributions(
        self, draft: SnapshotDraft, encoded: str, histogram: WavefrontHistogram, current: bool
    ) -> None:
        key, tags = decode_key(encoded)
        bins = histogram.take_all_bins() if current else histogram.take_past_bins()
        for minute_s, values in bins:
            draft.distributions.append(
                MinuteDistribution(f"{self._prefix}{key}", minute_s, values, tuple(tags.items()))
            )


def _items(metrics: dict[str, Any]) -> list[tuple[str, Any]]:
    # A copy in one C call: other threads add metrics meanwhile.
    return list(metrics.items())


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
