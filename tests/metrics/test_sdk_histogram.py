"""The Wavefront SDK's histogram: minutes, statistics, and nothing lost or handed out twice."""

from __future__ import annotations

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wf_instrument.metrics.sdk_histogram import ThreadMinuteBin, WavefrontHistogramImpl

MINUTE = 60_000


class Clock:
    """Unix time in milliseconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 100 * MINUTE + 500.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def histogram(clock: Clock) -> WavefrontHistogramImpl:
    return WavefrontHistogramImpl(clock)


def test_past_minutes_are_handed_out_once_and_the_current_one_stays(
    clock: Clock, histogram: WavefrontHistogramImpl
) -> None:
    histogram.update(1)
    histogram.update(1)
    clock.now += MINUTE
    histogram.update(5)
    (first,) = histogram.flush_distributions()
    assert (first.timestamp, first.centroids) == (6000, [(1.0, 2)])
    assert histogram.flush_distributions() == []
    clock.now += MINUTE
    (second,) = histogram.flush_distributions()
    assert (second.timestamp, second.centroids) == (6060, [(5.0, 1)])


def test_statistics_are_over_past_minutes(clock: Clock, histogram: WavefrontHistogramImpl) -> None:
    assert (histogram.get_count(), histogram.get_sum(), histogram.get_mean()) == (0, 0, 0)
    for value in (1, 2, 3, 4):
        histogram.update(value)
    assert histogram.get_count() == 0
    clock.now += MINUTE
    histogram.update(100)
    assert (histogram.get_count(), histogram.get_sum(), histogram.get_mean()) == (4, 10, 2.5)
    assert (histogram.get_min(), histogram.get_max()) == (1, 4)
    assert histogram.std_dev() == pytest.approx(1.118, abs=0.001)
    snapshot = histogram.get_snapshot()
    histogram.flush_distributions()
    assert (snapshot.get_size(), snapshot.get_count(), snapshot.get_sum()) == (4, 4, 10)
    assert (snapshot.get_min(), snapshot.get_max(), snapshot.get_mean()) == (1, 4, 2.5)
    assert (snapshot.get_value(0), snapshot.get_value(1)) == (1, 4)
    assert 1.9 < snapshot.get_value(0.5) <= 3
    with pytest.raises(ValueError, match="quantile"):
        snapshot.get_value(99)


def test_bulk_updates_take_pairs_and_leave_out_what_is_none(
    clock: Clock, histogram: WavefrontHistogramImpl
) -> None:
    histogram.bulk_update([10.0, 20.0, 30.0, float("nan"), 50.0], [1, 2, 0, 4])
    histogram.update(float("nan"))
    clock.now += MINUTE
    assert (histogram.get_count(), histogram.get_sum()) == (3, 50)
    (one,) = histogram.flush_distributions()
    assert one.centroids == [(10.0, 1), (20.0, 2)]


def test_the_current_bin_is_a_copy(clock: Clock, histogram: WavefrontHistogramImpl) -> None:
    histogram.update(3)
    current = histogram.get_current_bin()
    assert isinstance(current, ThreadMinuteBin)
    assert (current.minute_millis, current.get_count()) == (100 * MINUTE, 1)
    current.update(3)
    assert current.to_distribution() == (6000, [(3.0, 2)])
    clock.now += MINUTE
    assert histogram.get_count() == 1


@given(st.lists(st.floats(-1e9, 1e9), max_size=300), st.integers(0, 3))
def test_counts_and_sums_are_those_of_the_values(values: list[float], weight: int) -> None:
    clock = Clock()
    histogram = WavefrontHistogramImpl(clock)
    for value in values:
        histogram.update(value)
    histogram.bulk_update(values, [weight] * len(values))
    clock.now += MINUTE
    assert histogram.get_count() == len(values) * (1 + weight)
    assert histogram.get_sum() == pytest.approx(sum(values) * (1 + weight), abs=1e-3)
    assert sum(n for one in histogram.flush_distributions() for _, n in one.centroids) == (
        len(values) * (1 + weight)
    )


def test_threads_share_one_histogram(clock: Clock, histogram: WavefrontHistogramImpl) -> None:
    def update() -> None:
        for _ in range(3000):
            histogram.update(1)
            histogram.bulk_update([2], [1])

    threads = [threading.Thread(target=update) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock.now += MINUTE
    assert [one.centroids for one in histogram.flush_distributions()] == [
        [(1.0, 12_000), (2.0, 12_000)]
    ]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_starts_empty(clock: Clock, histogram: WavefrontHistogramImpl) -> None:
    histogram.update(1)
    pid = os.fork()
    if pid == 0:
        histogram.update(2)
        clock.now += MINUTE
        os._exit(histogram.get_count())
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    clock.now += MINUTE
    assert histogram.get_sum() == 1


def test_without_a_clock_it_goes_by_the_system() -> None:
    histogram = WavefrontHistogramImpl()
    histogram.update(1)
    assert histogram.get_current_bin().get_count() <= 1
