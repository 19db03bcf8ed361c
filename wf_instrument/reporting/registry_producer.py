"""Turns the metrics of a pyformance registry into points and distributions."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.guard import caught, guard
from wf_instrument.metrics.delta_counter import DeltaCounter, get_delta_name
from wf_instrument.metrics.tagged_registry import decode_key
from wf_instrument.metrics.wavefront_histogram import WavefrontHistogram
from wf_instrument.reporting.registry_feed import RegistryFeed, metrics_of
from wf_instrument.reporting.snapshot import MinuteDistribution, Point, PointKind, SnapshotDraft
from wf_instrument.value_text import as_str

if TYPE_CHECKING:
    from wf_instrument.metrics.histogram import ExponentialHistogram
    from wf_instrument.metrics.pyformance_shim import MetricsRegistry
    from wf_instrument.reporting.snapshot import Tags

__all__ = ["RegistryProducer"]

log = logging.getLogger(__name__)

_MAX_CLASHES_TOLD: Final = 100

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


_Values = Iterable[tuple[str, object, PointKind]]


class RegistryProducer:
    """Drains one registry into snapshots; any pyformance registry, tagged or not.

    Several on one registry each get every change and every minute, from when they are made.

    Args:
        registry: Whose metrics to report.
        prefix: Put in front of every name.

    Attributes:
        prefix: As given; another one counts from the next drain on.
    """

    def __init__(self, registry: MetricsRegistry, prefix: str = "") -> None:
        self._registry = registry
        self.prefix = prefix
        self._feed = RegistryFeed(registry)
        self._skipped = 0
        self._clashing: set[str] = set()

    @property
    def skipped(self) -> int:
        """How many values were NaN, infinite or no number, and so not reported."""
        return self._skipped + self._feed.skipped

    def draft_of(self, registry: MetricsRegistry, *, current_minute: bool) -> SnapshotDraft:
        """Drain a registry, its own or for once another, and return what it gave.

        Args:
            registry: What to drain; another one's deltas count from its beginning.
            current_minute: As for `drain_into`.
        """
        draft = SnapshotDraft()
        if registry is self._registry:
            self.drain_into(draft, current_minute=current_minute)
        else:
            once = RegistryProducer(registry, self.prefix)
            once.drain_into(draft, current_minute=current_minute)
            once.close()
        return draft

    def close(self) -> None:
        """Get no more changes and minutes; what others share of the registry goes to them alone."""
        self._feed.close()

    def drain_into(self, draft: SnapshotDraft, *, current_minute: bool = False) -> None:
        """Add the values of all metrics; deltas and past minutes are handed out once.

        Args:
            draft: Where they go.
            current_minute: Whether Wavefront histograms give their current minute too.
        """
        changes, minutes = self._feed.take(current_minute=current_minute or draft.is_last)
        for key, change in changes:
            self._guarded(draft, key, partial(_change, change))
        for key, minute_s, values in minutes:
            self._distribution(draft, key, minute_s, values)
        metrics = [
            (read, key, metric)
            for kind, read in _READERS.items()
            for key, metric in metrics_of(self._registry, kind)
            if not isinstance(metric, (DeltaCounter, WavefrontHistogram))
        ]
        uses = Counter(key for _, key, _ in metrics)
        told: dict[str, set[str]] = {key: set() for key, number in uses.items() if number > 1}
        for read, key, metric in metrics:
            self._guarded(draft, key, partial(read, metric), told.get(key))

    def _guarded(
        self,
        draft: SnapshotDraft,
        encoded: str,
        read: Callable[[], _Values],
        told: set[str] | None = None,
    ) -> None:
        """Add the points of one metric; a failing one costs only itself.

        Args:
            draft: Where they go.
            encoded: The metric's key.
            read: Returns the values.
            told: What metrics of other kinds under the same key reported already.
        """
        try:
            key, tags = _key_and_tags(encoded)
            for value_key, value, kind in read():
                if told is not None:
                    if value_key in told:
                        self._clash(key, value_key)
                        continue
                    told.add(value_key)
                number = _number(value)
                if number is None:
                    self._skipped += 1
                    continue
                name = (
                    get_delta_name(self.prefix, key, value_key)
                    if kind == "delta"
                    else f"{as_str(self.prefix)}{key}.{value_key}"
                )
                draft.points.append(Point(name, number, kind, tags))
        except Exception as error:  # noqa: BLE001 - gauges call the user's code
            caught("registry", error)

    def _clash(self, key: str, value_key: str) -> None:
        """Say it once a key: the decorators of pyformance, several on one function, do so too."""
        if key not in self._clashing and len(self._clashing) < _MAX_CLASHES_TOLD:
            self._clashing.add(key)
            log.warning(
                "metrics of several kinds are called %r in one registry: %r is reported of a timer "
                "first, then of a meter, a histogram, a counter; give them names of their own",
                key,
                f"{key}.{value_key}",
            )

    def _distribution(
        self, draft: SnapshotDraft, encoded: str, minute_s: int, values: ExponentialHistogram
    ) -> None:
        with guard("registry"):
            key, tags = _key_and_tags(encoded)
            row = MinuteDistribution(f"{as_str(self.prefix)}{key}", minute_s, values, tags)
            draft.distributions.append(row)


def _change(change: float) -> _Values:
    return [("count", change, "delta")]


def _counter(counter: Any) -> _Values:
    return [("count", counter.get_count(), "counter")]


def _gauge(gauge: Any) -> _Values:
    return [("value", gauge.get_value(), "gauge")]


def _meter(meter: Any) -> _Values:
    yield "count", meter.get_count(), "counter"
    yield from _rates(meter)


def _rates(metric: Any) -> _Values:
    for name, method in _RATES:
        try:
            yield name, getattr(metric, method)(), "gauge"
        except ZeroDivisionError:  # not a moment has passed, or the clock was set back
            yield name, math.nan, "gauge"


def _statistics(metric: Any) -> _Values:
    count = metric.get_count()
    yield "count", count, "counter"
    if not count:
        # pyformance gives its initial extremes, ±2147483647, for a metric without values.
        return
    for name, method in _STATISTICS:
        yield name, getattr(metric, method)(), "gauge"
    if hasattr(metric, "get_mean_rate"):
        yield from _rates(metric)
    snapshot = metric.get_snapshot()
    for name, share in _PERCENTILES:
        yield name, snapshot.get_percentile(share), "gauge"


#: Of metrics with the same key, the first wins where both have a value of the same name.
#: Source: pyformance, `MetricsRegistry.get_metrics`, where the last wins.
_READERS: Final[dict[str, Callable[[Any], _Values]]] = {
    "gauges": _gauge,
    "timers": _statistics,
    "meters": _meter,
    "histograms": _statistics,
    "counters": _counter,
}


@lru_cache(maxsize=8192, typed=True)
def _key_and_tags(encoded: str) -> tuple[str, Tags]:
    """Return key and tags, without the blank ones, which no backend takes."""
    key, tags = decode_key(encoded)
    return key, tuple(pair for pair in tags.items() if pair[0].strip() and pair[1].strip())


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
