"""The buckets of a base-2 exponential histogram: where a value belongs, and what is there.

Source:
    OpenTelemetry data model, "ExponentialHistogram": bucket `i` of scale `s` covers
    (2**(i / 2**s), 2**((i + 1) / 2**s)].
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Final

from wf_instrument.speed import put_values

__all__ = ["BucketSet", "Buckets", "bucket_index", "lower_bound"]

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

    def span_after(self, shift: int) -> int:
        """Return the span once the buckets are 2**shift times as wide."""
        if not self.counts:
            return 0
        return (max(self.counts) >> shift) - (min(self.counts) >> shift) + 1

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


class BucketSet:
    """The buckets of both signs, of one scale.

    Args:
        scale: 2**scale buckets an octave.
        max_buckets: Past this many between lowest and highest, buckets double their width.

    Attributes:
        zero_count: How many of the values were 0.
        positive: Buckets of values above 0.
        negative: Buckets of the magnitudes of values below 0.
    """

    __slots__ = ("max_buckets", "negative", "positive", "scale", "zero_count")

    def __init__(self, scale: int, max_buckets: int) -> None:
        self.scale = scale
        self.max_buckets = max_buckets
        self.zero_count = 0
        self.positive = Buckets()
        self.negative = Buckets()

    def add_many(self, values: list[float]) -> None:
        """Add finite values."""
        if put_values is not None and put_values(
            values, self.scale, self.positive.counts, self.positive.sums
        ):
            pass
        elif len(values) >= _SORT_FROM and self.scale >= 0:
            self._put_sorted(sorted(values))
        else:
            self._put(values)
        self._fit()

    def add_weighted(self, value: float, count: int) -> None:
        """Add a finite value `count` times."""
        if value:
            buckets = self.positive if value > 0 else self.negative
            buckets.add(bucket_index(abs(value), self.scale), count, abs(value) * count)
            self._fit()
        else:
            self.zero_count += count

    def merge(self, other: BucketSet) -> None:
        """Add all that is in another set, which is not changed."""
        self.zero_count += other.zero_count
        self._downscale_to(min(self.scale, other.scale))
        shift = other.scale - self.scale
        for buckets, more in ((self.positive, other.positive), (self.negative, other.negative)):
            for index, count in more.counts.items():
                buckets.add(index >> shift, count, more.sums[index])
        self._fit()

    def sums_and_counts(self) -> list[tuple[float, int]]:
        """Return sum and count of each bucket, ascending."""
        below, above = self.negative, self.positive
        pairs = [(-below.sums[i], below.counts[i]) for i in sorted(below.counts, reverse=True)]
        if self.zero_count:
            pairs.append((0.0, self.zero_count))
        return pairs + [(above.sums[i], above.counts[i]) for i in sorted(above.counts)]

    def _put_sorted(self, values: list[float]) -> None:
        """Put finite values, ascending, into their buckets: a bucket at a time, mostly in C."""
        scale, end = self.scale, len(values)
        counts, sums = self.positive.counts, self.positive.sums
        begin = bisect_right(values, 0.0)
        if begin:
            self._put(values[:begin])
        while begin < end:
            index = bucket_index(values[begin], scale)
            after = bisect_right(values, lower_bound(index + 1, scale), begin + 1)
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

    def _fit(self) -> None:
        span = max(self.positive.span(), self.negative.span())
        shift = 0
        while span > self.max_buckets and self.scale - shift > MIN_SCALE:
            # One more than half: the range may begin in the middle of a wider bucket.
            shift += 1
            span = max(self.positive.span_after(shift), self.negative.span_after(shift))
        self._downscale_to(self.scale - shift)

    def _downscale_to(self, scale: int) -> None:
        shift = self.scale - scale
        if shift > 0:
            self.positive = self.positive.downscaled(shift)
            self.negative = self.negative.downscaled(shift)
            self.scale = scale


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


def lower_bound(index: int, scale: int) -> float:
    """Return 2**(index / 2**scale), the lower bound of a bucket; the largest float past it."""
    try:
        if scale <= 0:
            return math.ldexp(1.0, index << -scale)
        whole, part = divmod(index, 1 << scale)
        return math.ldexp(2.0 ** (part / (1 << scale)), whole)
    except OverflowError:
        return math.inf
