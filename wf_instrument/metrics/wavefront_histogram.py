"""Wavefront histograms: the values of each minute, as a distribution.

Threads: any thread adds, by one atomic append; readers fold under `_lock`.
Fork: the child's histograms are empty: the parent reports what was added before.
Loss: of past minutes nobody took, the ten newest are kept; older ones are counted in
    `dropped_bins`.
"""

from __future__ import annotations

import math
import threading
import time
from reprlib import repr as short_repr
from typing import TYPE_CHECKING, Final, NamedTuple

from wf_instrument.forking import reset_after_fork
from wf_instrument.metrics.histogram import ExponentialHistogram
from wf_instrument.metrics.pyformance_shim import Histogram, MetricsRegistry
from wf_instrument.metrics.tagged_registry import stored_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "MAX_CENTROIDS",
    "MAX_PAST_BINS",
    "Distribution",
    "WavefrontHistogram",
    "get",
    "wavefront_histogram",
]

#: Centroids a line holds at most.
MAX_CENTROIDS: Final = 128
#: Source: Wavefront SDK, `WavefrontHistogramImpl`, ten bins.
MAX_PAST_BINS: Final = 10
_FOLD_AFTER: Final = 1000


class Distribution(NamedTuple):
    """The values of one minute: Unix time of its start in seconds, and (mean, count) pairs."""

    timestamp: int
    centroids: list[tuple[float, int]]


class WavefrontHistogram(Histogram):
    """A pyformance histogram that keeps a bin for each minute.

    Statistics are over past minutes that nobody has taken yet; 0 when there are none.

    Args:
        clock: Unix time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        # Not calling pyformance's __init__: its decaying sample is neither needed nor cheap.
        self._now = clock
        self.dropped_bins = 0
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._raw: list[tuple[float, float]] = []
        self._bins: dict[int, ExponentialHistogram] = {}

    def add(self, value: float) -> None:
        """Add a value to the bin of the current minute; NaN and infinite ones are only counted.

        Raises:
            TypeError: It is no number.
        """
        if type(value) is not float:
            # Found out now: when values are folded, it would cost those of everybody else.
            value = _number(value)
        raw = self._raw
        raw.append((self._now(), value))
        if len(raw) >= _FOLD_AFTER:
            with self._lock:
                self._fold()

    def add_weighted(self, value: float, count: int) -> None:
        """Add a finite value `count` times to the bin of the current minute."""
        minute = self.current_minute()
        with self._lock:
            self._fold()
            self._bins.setdefault(minute, ExponentialHistogram()).add_weighted(value, count)
            self._bound()

    def clear(self) -> None:
        """Forget all values."""
        with self._lock:
            del self._raw[:]
            self._bins.clear()

    def take_past_bins(self) -> list[tuple[int, ExponentialHistogram]]:
        """Hand out the bins of past minutes, once: (start in Unix seconds, values) pairs."""
        now = self.current_minute()
        return self._take(lambda minute: minute < now)

    def take_all_bins(self) -> list[tuple[int, ExponentialHistogram]]:
        """Hand out all bins, that of the current minute included."""
        return self._take(lambda minute: True)

    def get_distribution(self) -> list[Distribution]:
        """Hand out the distributions of past minutes, once."""
        return [
            Distribution(minute, bin_.centroids(MAX_CENTROIDS))
            for minute, bin_ in self.take_past_bins()
            if bin_.count  # else all that came was NaN or infinite
        ]

    def get_current_minute_distribution(self) -> Distribution:
        """Return the values of the current minute so far, without taking them."""
        minute = self.current_minute()
        with self._lock:
            self._fold()
            bin_ = self._bins.get(minute)
            return Distribution(minute, [] if bin_ is None else bin_.centroids(MAX_CENTROIDS))

    def get_count(self) -> int:
        """Return how many values past minutes have."""
        return self.past_values().count

    def get_sum(self) -> float:
        """Return their sum."""
        return self.past_values().sum

    def get_max(self) -> float:
        """Return the largest."""
        return self.past_values().max

    def get_min(self) -> float:
        """Return the smallest."""
        return self.past_values().min

    def get_mean(self) -> float:
        """Return the mean."""
        return self.past_values().mean

    def get_var(self) -> float:
        """Return the variance, from bucket means."""
        past = self.past_values()
        if not past.count:
            return 0.0
        mean = past.mean
        return sum(n * (value - mean) ** 2 for value, n in past.centroids()) / past.count

    def get_stddev(self) -> float:
        """Return the standard deviation, from bucket means."""
        return math.sqrt(self.get_var())

    def get_snapshot(self) -> _Quantiles:
        """Return the quantiles of past minutes, as pyformance's snapshots give them."""
        return _Quantiles(self.past_values())

    def current_minute(self) -> int:
        """Return the start of the current minute, Unix time in seconds."""
        return int(self._now() // 60) * 60

    def _take(self, wanted: Callable[[int], bool]) -> list[tuple[int, ExponentialHistogram]]:
        with self._lock:
            self._fold()
            return [
                (minute, self._bins.pop(minute)) for minute in sorted(self._bins) if wanted(minute)
            ]

    def past_values(self) -> ExponentialHistogram:
        """Return the values of past minutes that nobody has taken yet, without taking them."""
        minute = self.current_minute()
        merged = ExponentialHistogram()
        with self._lock:
            self._fold()
            for start, bin_ in self._bins.items():
                if start < minute:
                    merged.merge(bin_)
        return merged

    def _fold(self) -> None:
        """Caller holds `_lock`."""
        n = len(self._raw)
        part = self._raw[:n]
        del self._raw[:n]
        if not part:
            return
        times = [time_s for time_s, _ in part]
        first, last = int(min(times) // 60) * 60, int(max(times) // 60) * 60
        by_minute: dict[int, list[float]] = {}
        if first == last:  # nearly always
            by_minute[first] = [value for _, value in part]
        else:
            for time_s, value in part:
                by_minute.setdefault(int(time_s // 60) * 60, []).append(value)
        for minute, values in by_minute.items():
            self._bins.setdefault(minute, ExponentialHistogram()).add_many(values)
        self._bound()

    def _bound(self) -> None:
        """Caller holds `_lock`."""
        # One more than the past bins: that of the current minute.
        while len(self._bins) > MAX_PAST_BINS + 1:
            del self._bins[min(self._bins)]
            self.dropped_bins += 1


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # what is no number raises
    except OverflowError:
        return math.inf  # an integer that no float holds: counted as what cannot be taken
    except (TypeError, ValueError) as exc:
        raise TypeError(f"a histogram takes numbers, not {short_repr(value)}") from exc


class _Quantiles:
    """What reporters ask of a pyformance snapshot."""

    def __init__(self, histogram: ExponentialHistogram) -> None:
        self._histogram = histogram

    def get_size(self) -> int:
        return self._histogram.count

    def get_median(self) -> float:
        return self._histogram.quantile(0.5)

    def get_75th_percentile(self) -> float:
        return self._histogram.quantile(0.75)

    def get_95th_percentile(self) -> float:
        return self._histogram.quantile(0.95)

    def get_99th_percentile(self) -> float:
        return self._histogram.quantile(0.99)

    def get_999th_percentile(self) -> float:
        return self._histogram.quantile(0.999)

    def get_percentile(self, percentile: float) -> float:
        return self._histogram.quantile(percentile)


def wavefront_histogram(
    registry: MetricsRegistry, name: str, tags: Mapping[str, str] | None = None
) -> WavefrontHistogram:
    """Return the Wavefront histogram of a registry, made if need be.

    Raises:
        TypeError: The name belongs to a plain histogram.
    """
    encoded = stored_key(registry, name, tags)
    histograms = registry._histograms  # noqa: SLF001 - pyformance has no other look-up
    found = histograms.get(encoded)
    if found is None:
        # In one step: of two threads that make the same one, both get the one that is kept.
        found = histograms.setdefault(encoded, WavefrontHistogram())
    if not isinstance(found, WavefrontHistogram):
        raise TypeError(f"{name!r} is a plain histogram of this registry; choose another name")
    return found


def get(name: str, registry: MetricsRegistry) -> WavefrontHistogram | None:
    """Return the Wavefront histogram under a registry's key, None when there is none."""
    found = registry._histograms.get(name)  # noqa: SLF001 - pyformance has no other look-up
    return found if isinstance(found, WavefrontHistogram) else None
