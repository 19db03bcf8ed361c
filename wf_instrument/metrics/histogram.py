"""The one representation of distributions: a base-2 exponential histogram with bucket sums.

Threads: one owner at a time. Whoever shares a histogram no longer adds to it.

Source:
    OpenTelemetry data model, "ExponentialHistogram": bucket `i` of scale `s` covers
    (2**(i / 2**s), 2**((i + 1) / 2**s)].
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from wf_instrument.metrics.histogram_bytes import decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self

__all__ = ["ExponentialHistogram"]

#: 32 buckets an octave: a bucket is 2.2 % wide.
DEFAULT_SCALE: Final = 5
DEFAULT_MAX_BUCKETS: Final = 320
#: Coarsest scale a merge or a wide range can lead to; one bucket then covers 2**1024.
MIN_SCALE: Final = -10

_MANTISSA_MIN: Final = 0.5


#: From so many values on, sorting them is cheaper than finding the bucket of each.
_SORT_FROM: Final = 64


class Buckets:
    """The buckets of one sign: index to count and sum, sparse."""

    __slots__ = ("counts", "sums")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.sums: dict[int, float] = {}

    def span(self) -> int:
        """Return how many buckets lie between the lowest and the highest in use."""
        return max(self.counts) - min(self.counts) + 1 if self.counts else 0

    @property
    def offset(self) -> int:
        """Index of the lowest bucket in use, 0 when empty."""
        return min(self.counts, default=0)

    def dense(self) -> list[int]:
        """Return the counts from the lowest bucket in use to the highest."""
        low = self.offset
        return [self.counts.get(low + i, 0) for i in range(self.span())]

    def add(self, index: int, count: int, total: float) -> None:
        """Add values to one bucket."""
        self.counts[index] = self.counts.get(index, 0) + count
        self.sums[index] = self.sums.get(index, 0.0) + total

    def downscaled(self, shift: int) -> Buckets:
        """Return the same values in buckets 2**shift times as wide."""
        coarse = Buckets()
        for index, count in self.counts.items():
            coarse.add(index >> shift, count, self.sums[index])
        return coarse


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
        zero_count: How many of them were 0.
        rejected: How many values were NaN or infinite, which are not taken.
        positive: Buckets of values above 0.
        negative: Buckets of the magnitudes of values below 0.
    """

    __slots__ = (
        "count",
        "max",
        "max_buckets",
        "min",
        "negative",
        "positive",
        "rejected",
        "scale",
        "sum",
        "zero_count",
    )

    def __init__(self, scale: int = DEFAULT_SCALE, max_buckets: int = DEFAULT_MAX_BUCKETS) -> None:
        self.scale = scale
        self.max_buckets = max_buckets
        self.count = 0
        self.sum = 0.0
        self.min = 0.0
        self.max = 0.0
        self.zero_count = 0
        self.rejected = 0
        self.positive = Buckets()
        self.negative = Buckets()

    def __repr__(self) -> str:
        return f"ExponentialHistogram(count={self.count}, sum={self.sum:g}, scale={self.scale})"

    @property
    def mean(self) -> float:
        """The mean, 0.0 when empty."""
        return self.sum / self.count if self.count else 0.0

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
        if len(given) >= _SORT_FROM and self.scale >= 0:
            self._put_sorted(sorted(given))
        else:
            self._put(given)
        self._fit()

    def _put_sorted(self, values: list[float]) -> None:
        """Put finite values, ascending, into their buckets: a bucket at a time, mostly in C."""
        scale, end = self.scale, len(values)
        counts, sums = self.positive.counts, self.positive.sums
        begin = bisect_right(values, 0.0)
        if begin:
            self._put(values[:begin])
        while begin < end:
            index = bucket_index(values[begin], scale)
            after = bisect_right(values, _power(index + 1, scale), begin + 1)
            # The bound is rounded: a value next to it stands where it does when it comes alone.
            while bucket_index(values[after - 1], scale) != index:
                after -= 1
            while after < end and bucket_index(values[after], scale) == index:
                after += 1
            counts[index] = counts.get(index, 0) + after - begin
            sums[index] = sums.get(index, 0.0) + sum(values[begin:after])
            begin = after

    def _put(self, values: list[float]) -> None:
        """Put finite values into their buckets; the loop that all folding spends its time in."""
        scale, factor = self.scale, float(1 << self.scale) if self.scale > 0 else 0.0
        frexp, log2, ceil = math.frexp, math.log2, math.ceil
        counts, sums = self.positive.counts, self.positive.sums
        for value in values:
            if value > 0.0:
                mantissa, exponent = frexp(value)
                if not factor or mantissa == _MANTISSA_MIN:
                    index = bucket_index(value, scale)
                else:
                    # As in `bucket_index`, without the call.
                    index = ceil((exponent + log2(mantissa)) * factor) - 1
                    if index >= exponent << scale:
                        index = (exponent << scale) - 1
                    elif index < (exponent - 1) << scale:
                        index = (exponent - 1) << scale
                if index in counts:
                    counts[index] += 1
                    sums[index] += value
                else:
                    counts[index] = 1
                    sums[index] = value
            elif value == 0.0:
                self.zero_count += 1
            else:
                self.negative.add(bucket_index(-value, scale), 1, -value)

    def add_weighted(self, value: float, count: int) -> None:
        """Add a finite value `count` times, as a centroid (mean, count) of another histogram."""
        self._widen(value, value)
        self.count += count
        self.sum += value * count
        if value:
            buckets = self.positive if value > 0 else self.negative
            buckets.add(bucket_index(abs(value), self.scale), count, abs(value) * count)
            self._fit()
        else:
            self.zero_count += count

    def merge(self, other: ExponentialHistogram) -> None:
        """Add all values of another histogram, which is not changed."""
        if other.count == 0:
            self.rejected += other.rejected
            return
        self._widen(other.min, other.max)
        self.count += other.count
        self.sum += other.sum
        self.zero_count += other.zero_count
        self.rejected += other.rejected
        self._downscale_to(min(self.scale, other.scale))
        shift = other.scale - self.scale
        for buckets, more in ((self.positive, other.positive), (self.negative, other.negative)):
            for index, count in more.counts.items():
                buckets.add(index >> shift, count, more.sums[index])
        self._fit()

    def copy(self) -> ExponentialHistogram:
        """Return an independent histogram of the same values."""
        twin = ExponentialHistogram(self.scale, self.max_buckets)
        twin.merge(self)
        return twin

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
        for index in sorted(self.negative.counts, reverse=True):
            low, high = self._bounds(index)
            yield -high, -low, self.negative.counts[index]
        if self.zero_count:
            yield 0.0, 0.0, self.zero_count
        for index in sorted(self.positive.counts):
            low, high = self._bounds(index)
            yield low, high, self.positive.counts[index]

    def _bounds(self, index: int) -> tuple[float, float]:
        return _power(index, self.scale), _power(index + 1, self.scale)

    def centroids(self, limit: int | None = None) -> list[tuple[float, int]]:
        """Return (mean, count) pairs, ascending by mean; the counts add up to `count`.

        Args:
            limit: At most so many pairs; neighbours are merged, fewest values where the tails are.
        """
        pairs = [
            (-self.negative.sums[i], self.negative.counts[i])
            for i in sorted(self.negative.counts, reverse=True)
        ]
        if self.zero_count:
            pairs.append((0.0, self.zero_count))
        pairs += [
            (self.positive.sums[i], self.positive.counts[i]) for i in sorted(self.positive.counts)
        ]
        if limit is not None and len(pairs) > limit:
            pairs = _merge_neighbours(pairs, self.count, limit)
        return [(total / count, count) for total, count in pairs]

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
        decode(histogram, data)
        return histogram

    def _widen(self, low: float, high: float) -> None:
        """Caller adds to `count` afterwards."""
        self.min = low if not self.count else min(self.min, low)
        self.max = high if not self.count else max(self.max, high)

    def _fit(self) -> None:
        span = max(self.positive.span(), self.negative.span())
        shift = 0
        while span > self.max_buckets and self.scale - shift > MIN_SCALE:
            # One more than half: the range may begin in the middle of a wider bucket.
            shift += 1
            span = max(_span_after(self.positive, shift), _span_after(self.negative, shift))
        self._downscale_to(self.scale - shift)

    def _downscale_to(self, scale: int) -> None:
        shift = self.scale - scale
        if shift > 0:
            self.positive = self.positive.downscaled(shift)
            self.negative = self.negative.downscaled(shift)
            self.scale = scale


def _sum(values: list[float]) -> float | None:
    """Return the exact sum, rounded once; None when it, or a value, is not finite."""
    try:
        total = math.fsum(values)
    except (OverflowError, ValueError):
        return None
    return total if math.isfinite(total) else None


def bucket_index(value: float, scale: int) -> int:
    """Return the index of the bucket of a finite value above 0."""
    mantissa, exponent = math.frexp(value)
    if mantissa == _MANTISSA_MIN:
        # A power of two is the upper bound of its bucket, exactly.
        top = exponent - 1
        return (top << scale) - 1 if scale >= 0 else (top - 1) >> -scale
    if scale <= 0:
        return (exponent - 1) >> -scale
    index = math.ceil((exponent + math.log2(mantissa)) * (1 << scale)) - 1
    # Rounding must not move a value out of its octave.
    return min(max(index, (exponent - 1) << scale), (exponent << scale) - 1)


def _power(index: int, scale: int) -> float:
    """Return 2**(index / 2**scale), the lower bound of a bucket; the largest float past it."""
    try:
        if scale <= 0:
            return math.ldexp(1.0, index << -scale)
        whole, part = divmod(index, 1 << scale)
        return math.ldexp(2.0 ** (part / (1 << scale)), whole)
    except OverflowError:
        return math.inf


def _span_after(buckets: Buckets, shift: int) -> int:
    if not buckets.counts:
        return 0
    return (max(buckets.counts) >> shift) - (min(buckets.counts) >> shift) + 1


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
