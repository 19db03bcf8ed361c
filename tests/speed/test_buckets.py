"""Values are put into the same buckets by both twins."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wf_instrument import speed
from wf_instrument.metrics import exponential_buckets
from wf_instrument.metrics.exponential_buckets import BucketSet, lower_bound

put_values: Any = speed.put_values
compiled = pytest.mark.skipif(
    put_values is None, reason="no short cuts here: nothing was compiled, or WF_PURE_PYTHON=1"
)

POSITIVE = st.floats(min_value=0.0, exclude_min=True, allow_infinity=False)
#: As requests take, in seconds; and bounds of buckets, where rounding could tell.
NEAR = st.one_of(
    st.floats(min_value=1e-6, max_value=1e3),
    st.integers(-200, 200).map(lambda index: lower_bound(index, 5)),
    st.integers(-30, 30).map(lambda exponent: math.ldexp(1.0, exponent)),
)


def in_python(values: list[float], scale: int) -> BucketSet:
    buckets = BucketSet(scale, 1 << 40)
    for value in values:
        buckets.add_weighted(value, 1)
    return buckets


@compiled
@given(st.lists(st.one_of(NEAR, POSITIVE), min_size=1, max_size=50), st.integers(1, 12))
def test_the_short_cut_puts_all_where_the_twin_does_or_none(
    values: list[float], scale: int
) -> None:
    counts: dict[int, int] = {}
    sums: dict[int, float] = {}
    if not put_values(values, scale, counts, sums):
        assert not counts
        assert not sums
        return
    wanted = in_python(values, scale).positive
    assert counts == wanted.counts
    assert sums == pytest.approx(wanted.sums)


@compiled
@given(st.lists(NEAR, min_size=1, max_size=50))
def test_values_of_everyday_are_put_by_the_short_cut(values: list[float]) -> None:
    counts: dict[int, int] = {}
    assert put_values(values, 5, counts, {})
    assert sum(counts.values()) == len(values)


@compiled
@pytest.mark.parametrize("odd", [0.0, -1.0, math.nan, math.inf, 1, "1", None])
def test_what_is_no_float_above_zero_is_left_to_the_twin(odd: Any) -> None:
    counts: dict[int, int] = {}
    assert not put_values([1.0, odd], 5, counts, {})
    assert not counts


@compiled
def test_what_was_there_is_added_to() -> None:
    counts, sums = {-1: 2}, {-1: 2.0}
    assert put_values([1.0], 5, counts, sums)
    assert (counts, sums) == ({-1: 3}, {-1: 3.0})


@pytest.mark.parametrize("has_short_cut", [True, False])
def test_both_ways_end_in_the_same_buckets(
    has_short_cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_short_cut:
        monkeypatch.setattr(exponential_buckets, "put_values", None)
    values = [1e-3 * 1.01**step for step in range(300)]
    buckets = BucketSet(5, 320)
    buckets.add_many(values)
    wanted = in_python(values, 5)
    assert buckets.positive.counts == wanted.positive.counts
