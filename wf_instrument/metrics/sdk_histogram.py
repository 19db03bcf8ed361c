"""The histogram of the Wavefront SDK: bins by the minute, handed out by the application.

Threads: any; see `wavefront_histogram`.
Fork: the child starts with an empty histogram.
Loss: as `WavefrontHistogram`.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from wf_instrument.forking import reset_after_fork
from wf_instrument.metrics.histogram import ExponentialHistogram
from wf_instrument.metrics.wavefront_histogram import (
    MAX_CENTROIDS,
    Distribution,
    WavefrontHistogram,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Snapshot", "ThreadMinuteBin", "WavefrontHistogramImpl"]


class WavefrontHistogramImpl:
    """Distributions of the values of each minute.

    Statistics are over past minutes that nobody has taken yet; 0 when there are none.

    Args:
        clock_millis: Unix time in milliseconds; the system's when None.
    """

    def __init__(self, clock_millis: Callable[[], float] | None = None) -> None:
        self._clock_millis = clock_millis
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._histogram = WavefrontHistogram(self._now_s)

    def update(self, value: float) -> None:
        """Add a value to the current minute; NaN and infinite ones are left out."""
        self._histogram.add(float(value))

    def bulk_update(self, means: Sequence[float], counts: Sequence[int]) -> None:
        """Add (mean, count) pairs to the current minute, as many as both sequences have."""
        for mean, count in zip(means, counts, strict=False):
            if count > 0 and math.isfinite(mean):
                self._histogram.add_weighted(float(mean), int(count))

    def flush_distributions(self) -> list[Distribution]:
        """Hand out the distributions of past minutes, once.

        Their `timestamp` is in seconds, as `send_distribution` takes it.
        """
        return self._histogram.get_distribution()

    def get_current_bin(self) -> ThreadMinuteBin:
        """Return the values of the current minute so far; a copy, of all threads."""
        current = self._histogram.get_current_minute_distribution()
        minute_bin = ThreadMinuteBin(current.timestamp * 1000)
        for mean, count in current.centroids:
            minute_bin.bulk_update([mean], [count])
        return minute_bin

    def get_snapshot(self) -> Snapshot:
        """Return the statistics as they are now."""
        return Snapshot(self._histogram.past_values())

    def get_count(self) -> int:
        """Return how many values there are."""
        return self._histogram.get_count()

    def get_sum(self) -> float:
        """Return their sum."""
        return self._histogram.get_sum()

    def get_min(self) -> float:
        """Return the smallest."""
        return self._histogram.get_min()

    def get_max(self) -> float:
        """Return the largest."""
        return self._histogram.get_max()

    def get_mean(self) -> float:
        """Return the mean."""
        return self._histogram.get_mean()

    def std_dev(self) -> float:
        """Return the standard deviation."""
        return self._histogram.get_stddev()

    def _now_s(self) -> float:
        return time.time() if self._clock_millis is None else self._clock_millis() / 1000


class Snapshot:
    """Statistics of values that no longer change.

    Args:
        histogram: The values.
    """

    def __init__(self, histogram: ExponentialHistogram) -> None:
        self._histogram = histogram

    def get_value(self, quantile: float) -> float:
        """Return the value below which the share `quantile` (0 to 1) of the values lies.

        Raises:
            ValueError: `quantile` is not from 0 to 1.
        """
        return self._histogram.quantile(quantile)

    def get_size(self) -> int:
        """Return how many values there are."""
        return self._histogram.count

    def get_count(self) -> int:
        """Return how many values there are."""
        return self._histogram.count

    def get_sum(self) -> float:
        """Return their sum."""
        return self._histogram.sum

    def get_min(self) -> float:
        """Return the smallest, 0 when there are none."""
        return self._histogram.min

    def get_max(self) -> float:
        """Return the largest, 0 when there are none."""
        return self._histogram.max

    def get_mean(self) -> float:
        """Return the mean, 0 when there are none."""
        return self._histogram.mean


class ThreadMinuteBin:
    """The values of one minute; for one thread at a time.

    Args:
        minute_millis: The start of the minute, Unix time in milliseconds.
    """

    def __init__(self, minute_millis: int) -> None:
        self.minute_millis = minute_millis
        self._histogram = ExponentialHistogram()

    def update(self, value: float) -> None:
        """Add a value."""
        self._histogram.add(value)

    def bulk_update(self, means: Sequence[float], counts: Sequence[int]) -> None:
        """Add (mean, count) pairs, as many as both sequences have."""
        for mean, count in zip(means, counts, strict=False):
            if count > 0 and math.isfinite(mean):
                self._histogram.add_weighted(float(mean), int(count))

    def get_count(self) -> int:
        """Return how many values there are."""
        return self._histogram.count

    def to_distribution(self) -> Distribution:
        """Return the values as a distribution; its timestamp is in seconds."""
        return Distribution(self.minute_millis // 1000, self._histogram.centroids(MAX_CENTROIDS))
