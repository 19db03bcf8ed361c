"""The one representation of distributions: a base-2 exponential histogram with bucket sums.

The first few values are kept as they are. They go into buckets when more follow, or when somebody
asks for buckets: most series of an interval never come to that.

Threads: one owner at a time. Whoever shares a histogram no longer adds to it; any thread may then
    read it: two that ask for the buckets at once make the same.

Source:
    OpenTelemetry data model, "ExponentialHistogram": bucket `i` of scale `s` covers
    (2**(i / 2**s), 2**((i + 1) / 2**s)].
"""

from __future__ import annotations

import math
import sys
from itertools import repeat
from typing import TYPE_CHECKING, Final

from wf_instrument.metrics.exponential_buckets import Buckets, BucketSet, lower_bound
from wf_instrument.metrics.histogram_bytes import decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self

__all__ = ["ExponentialHistogram"]

#: 32 buckets an octave: a bucket is 2.2 % wide.
DEFAULT_SCALE: Final = 5
DEFAULT_MAX_BUCKETS: Final = 320
#: So many values are kept as they are: as many centroids suit every receiver.
_MAX_LOOSE: Final = 32


class ExponentialHistogram:
    """Counts and sums of values in buckets of equal relative width; any finite values.

    Args:
        scale: 2**scale buckets an octave, to begin with.
        max_buckets: Past this many between lowest and highest, buckets double their width.

    Attributes:
        count: How many values.
        sum: Their sum.
        min: The smallest, 0.0 when empty.
        max: The largest, 0.0 when empty.
        rejected: How many values were NaN or infinite, which are not taken.
    """

    __slots__ = (
        "_buckets",
        "_counts",
        "_first_scale",
        "_values",
        "count",
        "max",
        "max_buckets",
        "min",
        "rejected",
        "sum",
    )

    def __init__(self, scale: int = DEFAULT_SCALE, max_buckets: int = DEFAULT_MAX_BUCKETS) -> None:
        self._first_scale = scale
        self.max_buckets = max_buckets
        self.count = 0
        self.sum = 0.0
        self.min = 0.0
        self.max = 0.0
        self.rejected = 0
        # As long as all values are here, each as often as its count says, `_buckets` is only what
        # a reader asked for; afterwards it holds them all, and `_values` is None.
        self._values: list[float] | None = []
        self._counts: list[int] = []
        self._buckets: BucketSet | None = None

    def __repr__(self) -> str:
        return f"ExponentialHistogram(count={self.count}, sum={self.sum:g}, scale={self.scale})"

    @property
    def mean(self) -> float:
        """The mean, 0.0 when empty."""
        return self.sum / self.count if self.count else 0.0

    @property
    def buckets(self) -> BucketSet:
        """All values in buckets."""
        made = self._buckets
        if made is None:
            made = BucketSet(self._first_scale, self.max_buckets)
            for value, count in zip(self._values or (), self._counts, strict=False):
                made.add_weighted(value, count)
            self._buckets = made
        return made

    @property
    def scale(self) -> int:
        """2**scale buckets an octave."""
        return self.buckets.scale

    @property
    def zero_count(self) -> int:
        """How many of the values were 0."""
        return self.buckets.zero_count

    @property
    def positive(self) -> Buckets:
        """Buckets of values above 0."""
        return self.buckets.positive

    @property
    def negative(self) -> Buckets:
        """Buckets of the magnitudes of values below 0."""
        return self.buckets.negative

    def add(self, value: float) -> None:
        """Add one value."""
        self.add_many((value,))

    def add_many(self, values: Iterable[float]) -> None:
        """Add values; NaN and infinite ones are counted in `rejected` instead."""
        given = list(values)
        # One C loop each for the sum and the extremes; Python loops once, over the buckets.
        total = _sum(given)
        if total is None:
            finite = [value for value in given if math.isfinite(value)]
            self.rejected += len(given) - len(finite)
            given = finite
            # What still overflows is cut to the largest float rather than refused.
            total = _sum(given)
            if total is None:
                total = math.copysign(sys.float_info.max, sum(given))
        if not given:
            return
        self._widen(min(given), max(given))
        self.count += len(given)
        self.sum += total
        if not self._keep_loose(given, repeat(1, len(given)), len(given)):
            self._settled().add_many(given)

    def add_weighted(self, value: float, count: int) -> None:
        """Add a finite value `count` times, as a centroid (mean, count) of another histogram."""
        if not self.count:
            self.min = self.max = value
        elif value < self.min:
            self.min = value
        elif value > self.max:
            self.max = value
        self.count += count
        self.sum += value * count
        # As `_keep_loose`, without the call.
        loose = self._values
        if loose is not None and len(loose) < _MAX_LOOSE:
            loose.append(value)
            self._counts.append(count)
            self._buckets = None
        else:
            self._settled().add_weighted(value, count)

    def merge(self, other: ExponentialHistogram) -> None:
        """Add all values of another histogram, which is not changed."""
        self.rejected += other.rejected
        if other.count == 0:
            return
        self._widen(other.min, other.max)
        self.count += other.count
        self.sum += other.sum
        values = other._values
        counts = other._counts
        if values is None or not self._keep_loose(values, counts, len(values)):
            self._settled().merge(other.buckets)

    def copy(self) -> ExponentialHistogram:
        """Return an independent histogram of the same values."""
        twin = ExponentialHistogram(self._first_scale, self.max_buckets)
        twin.merge(self)
        return twin

    def _keep_loose(self, values: Iterable[float], counts: Iterable[int], number: int) -> bool:
        """Keep values as they are, if they are few; False when they belong into buckets."""
        loose = self._values
        if loose is None or len(loose) + number > _MAX_LOOSE:
            return False
        loose += values
        self._counts += counts
        self._buckets = None
        return True

    def _settled(self) -> BucketSet:
        """Return the buckets, which hold everything from now on."""
        buckets = self.buckets
        self._values, self._counts = None, []
        return buckets

    def quantile(self, q: float) -> float:
        """Return the value below which the share `q` (0 to 1) of the values lies, 0.0 when empty.

        Interpolates logarithmically inside a bucket.

        Raises:
            ValueError: `q` is not from 0 to 1.
        """
        if not 0.0 <= q <= 1.0:
            raise ValueError(f"quantile {q!r} should be from 0 to 1")
        if not self.count:
            return 0.0
        rank = q * (self.count - 1)
        if rank <= 0:
            return self.min
        if rank >= self.count - 1:
            return self.max
        passed = 0
        for low, high, count in self._ranges():
            if rank < passed + count:
                # The values of a bucket stand for equal shares of it, in the middle of each.
                share = (rank - passed + 0.5) / count
                return min(max(_between(low, high, share), self.min), self.max)
            passed += count
        return self.max

    def _ranges(self) -> Iterable[tuple[float, float, int]]:
        """Yield lower and upper bound and count of each bucket, ascending."""
        buckets = self.buckets
        for index in sorted(buckets.negative.counts, reverse=True):
            low, high = _bounds(index, buckets.scale)
            yield -high, -low, buckets.negative.counts[index]
        if buckets.zero_count:
            yield 0.0, 0.0, buckets.zero_count
        for index in sorted(buckets.positive.counts):
            low, high = _bounds(index, buckets.scale)
            yield low, high, buckets.positive.counts[index]

    def centroids(self, limit: int | None = None) -> list[tuple[float, int]]:
        """Return (mean, count) pairs, ascending by mean; the counts add up to `count`.

        Args:
            limit: At most so many pairs; neighbours are merged, fewest values where the tails are.
        """
        values = self._values
        if values is not None and (limit is None or len(values) <= limit):
            return _loose_centroids(values, self._counts)
        pairs = self.buckets.sums_and_counts()
        if limit is not None and len(pairs) > limit:
            pairs = _merge_neighbours(pairs, self.count, limit)
        return [(total / count, count) for total, count in pairs]

    def single_values(self) -> list[float] | None:
        """Return the values, ascending, if they are few and all different; else None."""
        values = self._values
        if values is None or len(values) != self.count or len(set(values)) != self.count:
            return None
        return sorted(values)

    def to_bytes(self) -> bytes:
        """Return a compact form for storing; `from_bytes` reads it."""
        return encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: It is something else.
        """
        histogram = cls()
        histogram._buckets = decode(histogram, data)
        histogram._values = None
        return histogram

    def _widen(self, low: float, high: float) -> None:
        """Caller adds to `count` afterwards."""
        self.min = low if not self.count else min(self.min, low)
        self.max = high if not self.count else max(self.max, high)


def _sum(values: list[float]) -> float | None:
    """Return the exact sum, rounded once; None when it, or a value, is not finite."""
    try:
        total = math.fsum(values)
    except (OverflowError, ValueError):
        return None
    return total if math.isfinite(total) else None


def _bounds(index: int, scale: int) -> tuple[float, float]:
    return lower_bound(index, scale), lower_bound(index + 1, scale)


def _loose_centroids(values: list[float], counts: list[int]) -> list[tuple[float, int]]:
    pairs = sorted(zip(values, counts, strict=True))
    if len(set(values)) == len(values):
        return pairs
    merged: dict[float, int] = {}
    for value, count in pairs:
        merged[value] = merged.get(value, 0) + count
    return list(merged.items())


def _between(low: float, high: float, share: float) -> float:
    if low > 0.0 and high < math.inf:
        return float(low * (high / low) ** share)
    if high < 0.0 and low > -math.inf:
        return float(-_between(-high, -low, 1.0 - share))
    # A bucket that reaches to 0 or past the largest float; min and max will clamp.
    return (
        low + (high - low) * share
        if math.isfinite(low) and math.isfinite(high)
        else (high if math.isinf(low) else low)
    )


def _merge_neighbours(
    pairs: list[tuple[float, int]], count: int, limit: int
) -> list[tuple[float, int]]:
    """Merge ascending (sum, count) pairs into at most `limit`, finest at the tails.

    A pair at quantile q may hold a share of the values in proportion to sqrt(q * (1 - q)), the
    t-digest's scale function k1, which spaces them evenly in arcsin.
    """
    merged: list[tuple[float, int]] = []
    total, members, passed, last_slot = 0.0, 0, 0, -1
    for bucket_total, bucket_count in pairs:
        middle = (passed + bucket_count / 2) / count
        slot = min(int(limit * (0.5 + math.asin(2 * middle - 1) / math.pi)), limit - 1)
        if members and slot != last_slot:
            merged.append((total, members))
            total, members = 0.0, 0
        last_slot = slot
        total += bucket_total
        members += bucket_count
        passed += bucket_count
    merged.append((total, members))
    return merged
