"""The exponential histogram: exact merging, small errors, safe bytes."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wf_instrument.metrics import ExponentialHistogram
from wf_instrument.metrics.exponential_buckets import bucket_index

VALUES = st.lists(
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300), max_size=60
)


def of(values: list[float]) -> ExponentialHistogram:
    made = ExponentialHistogram()
    made.add_many(values)
    return made


def shape(h: ExponentialHistogram) -> object:
    return (
        h.scale, h.count, h.zero_count, h.min, h.max, h.positive.counts, h.negative.counts,
    )  # fmt: skip


@given(parts=st.lists(VALUES, min_size=1, max_size=5), order=st.randoms())
def test_merging_in_any_order_is_adding_everything(
    parts: list[list[float]], order: random.Random
) -> None:
    whole = of([value for part in parts for value in part])
    merged = ExponentialHistogram()
    shuffled = parts[:]
    order.shuffle(shuffled)
    for part in shuffled:
        merged.merge(of(part))
    assert shape(merged) == shape(whole)
    assert math.isclose(merged.sum, whole.sum, rel_tol=1e-9, abs_tol=1e290)


@given(values=VALUES)
def test_counts_add_up_and_buckets_stay_within_the_limit(values: list[float]) -> None:
    h = of(values)
    assert h.count == len(values)
    assert max(h.positive.span(), h.negative.span()) <= 320
    pairs = h.centroids(128)
    assert sum(n for _, n in pairs) == len(values)
    assert len(pairs) <= 128
    assert all(isinstance(n, int) and n > 0 for _, n in pairs)
    assert [mean for mean, _ in pairs] == sorted(mean for mean, _ in pairs)


@given(values=VALUES)
def test_bytes_come_back_as_they_were(values: list[float]) -> None:
    h = of(values)
    back = ExponentialHistogram.from_bytes(h.to_bytes())
    assert shape(back) == shape(h)
    assert back.to_bytes() == h.to_bytes()


@given(data=st.binary(max_size=200), cut=st.integers(0, 300), flip=st.integers(0, 10_000))
def test_wrong_bytes_are_a_value_error_and_nothing_else(data: bytes, cut: int, flip: int) -> None:
    good = bytearray(of([0.1, 0.2, 30.0, -4.0, 0.0]).to_bytes())
    good[flip % len(good)] ^= 1 << (flip % 8)
    for wrong in (data, bytes(good[:cut]), bytes(good)):
        try:
            ExponentialHistogram.from_bytes(wrong)
        except ValueError:
            continue


@given(exponent=st.integers(-1020, 1020), scale=st.integers(-4, 10))
def test_a_power_of_two_is_the_upper_bound_of_its_bucket(exponent: int, scale: int) -> None:
    value = math.ldexp(1.0, exponent)
    above = math.nextafter(value, math.inf)
    if scale >= 0:
        assert bucket_index(value, scale) == (exponent << scale) - 1
        assert bucket_index(above, scale) == exponent << scale
    else:
        assert bucket_index(value, scale) == (exponent - 1) >> -scale
        assert bucket_index(above, scale) == exponent >> -scale


@pytest.mark.parametrize("q", [0.01, 0.1, 0.5, 0.9, 0.95, 0.99])
def test_quantiles_of_smooth_data_are_near(q: float) -> None:
    rolls = random.Random(1)
    values = sorted(rolls.lognormvariate(-5, 1) for _ in range(200_000))
    true = values[int(q * (len(values) - 1))]
    assert of(values).quantile(q) == pytest.approx(true, rel=0.003)


def test_quantiles_lie_between_the_extremes_and_rise() -> None:
    h = of([3.0, 1.0, 2.0, 0.0, -1.0])
    shown = [h.quantile(q / 10) for q in range(11)]
    assert shown == sorted(shown)
    assert (shown[0], shown[-1]) == (-1.0, 3.0)
    assert ExponentialHistogram().quantile(0.5) == 0.0
    with pytest.raises(ValueError, match="from 0 to 1"):
        h.quantile(50)


def test_nan_and_infinity_are_counted_and_not_taken() -> None:
    h = of([math.nan, math.inf, -math.inf, 1.0])
    assert (h.count, h.rejected, h.sum) == (1, 3, 1.0)


def test_a_merge_leaves_the_other_as_it_was_and_copies_are_independent() -> None:
    a, b = of([1.0, 2.0]), of([1e9, 1e-9])
    before = shape(b)
    c = a.copy()
    a.merge(b)
    assert shape(b) == before
    assert (a.count, c.count) == (4, 2)


@given(
    values=st.lists(
        st.floats(min_value=-1e6, max_value=1e6, allow_nan=False), min_size=64, max_size=300
    )
)
def test_many_values_at_once_stand_in_the_buckets_of_each_alone(values: list[float]) -> None:
    together, alone = ExponentialHistogram(), ExponentialHistogram()
    together.add_many(values)
    for value in values:
        alone.add(value)
    assert together.scale == alone.scale
    assert together.positive.counts == alone.positive.counts
    assert together.negative.counts == alone.negative.counts
    assert (together.count, together.zero_count) == (alone.count, alone.zero_count)
    for index, total in alone.positive.sums.items():
        assert together.positive.sums[index] == pytest.approx(total, rel=1e-12)


def test_values_on_the_bounds_of_buckets_stand_in_them_however_they_come() -> None:
    bounds = [2.0 ** (index / 32) for index in range(-160, 160)]
    near = [math.nextafter(bound, math.inf) for bound in bounds]
    together, alone = ExponentialHistogram(), ExponentialHistogram()
    together.add_many(bounds + near)
    for value in bounds + near:
        alone.add(value)
    assert together.positive.counts == alone.positive.counts


def test_a_few_values_are_their_own_centroids_and_more_are_bucket_means() -> None:
    few, many = of([1.0, 1.001, 2.0, 1.0]), of([1 + n / 1000 for n in range(33)])
    assert few.centroids() == [(1.0, 2), (1.001, 1), (2.0, 1)]
    assert len(many.centroids()) < 5


@given(parts=st.lists(VALUES, min_size=1, max_size=4))
def test_looking_at_the_buckets_in_between_changes_nothing(parts: list[list[float]]) -> None:
    looked_at, alone = ExponentialHistogram(), ExponentialHistogram()
    for part in parts:
        looked_at.add_many(part)
        assert looked_at.positive.offset <= 1 << 20
        alone.add_many(part)
    assert shape(looked_at) == shape(alone)
