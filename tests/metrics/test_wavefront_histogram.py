"""Wavefront histograms, and delta counters: what they do with values and clocks that are none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awkward import Clock, Mute
from wf_instrument.metrics import DeltaCounter, TaggedRegistry, delta_counter, wavefront_histogram
from wf_instrument.metrics.pyformance_shim import MetricsRegistry, pyformance
from wf_instrument.metrics.wavefront_histogram import MAX_CENTROIDS, WavefrontHistogram, get
from wf_instrument.reporting.registry_producer import RegistryProducer
from wf_instrument.reporting.snapshot import SnapshotDraft


@pytest.mark.parametrize("value", ["text", None, [1], {}])
def test_what_is_no_number_is_told_at_once_and_costs_no_other_value(value: Any) -> None:
    histogram = WavefrontHistogram()
    histogram.add(1.0)
    with pytest.raises(TypeError, match="takes numbers"):
        histogram.add(value)
    assert [bin_.count for _, bin_ in histogram.take_all_bins()] == [1]


def test_numbers_of_every_type_are_taken() -> None:
    histogram = WavefrontHistogram()
    for value in (1, 2.5, True, Decimal("0.5"), -3, 0, -0.0):
        histogram.add(value)
    ((_, values),) = histogram.take_all_bins()
    assert (values.count, values.sum, values.min, values.max) == (7, 2.0, -3.0, 2.5)


def test_nan_and_infinite_values_are_counted_and_make_no_distribution() -> None:
    clock = Clock()
    registry = TaggedRegistry()
    histogram = WavefrontHistogram(clock)
    registry.add("h", histogram)
    producer = RegistryProducer(registry)
    for value in (float("nan"), float("inf"), float("-inf"), 10**400):
        histogram.add(value)
    clock.now += 60
    draft = SnapshotDraft()
    producer.drain_into(draft)
    assert (draft.distributions, producer.skipped) == ([], 4)
    histogram.add(float("nan"))
    clock.now += 60
    assert histogram.get_distribution() == []
    assert histogram.get_count() == 0


def test_a_value_whose_own_conversion_fails_is_the_callers_to_see() -> None:
    with pytest.raises(RuntimeError, match="no number"):
        WavefrontHistogram().add(Mute())  # type: ignore[arg-type]  # what a careless caller does


def test_a_clock_that_steps_back_loses_no_value() -> None:
    clock = Clock()
    histogram = WavefrontHistogram(clock)
    histogram.add(1.0)
    clock.now -= 3600
    histogram.add(2.0)
    assert histogram.get_distribution() == []
    assert len(histogram.get_current_minute_distribution().centroids) == 1
    clock.now += 7200
    assert [one.centroids for one in histogram.get_distribution()] == [[(2.0, 1)], [(1.0, 1)]]


def test_weighted_values_keep_no_more_minutes_than_single_ones() -> None:
    clock = Clock()
    histogram = WavefrontHistogram(clock)
    for _ in range(15):
        histogram.add_weighted(1.0, 3)
        clock.now += 60
    histogram.add_weighted(1.0, 3)
    assert len(histogram.get_distribution()) == 10
    assert histogram.dropped_bins == 5


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=3000))
def test_a_distribution_has_at_most_128_centroids_whose_whole_counts_add_up(
    values: list[float],
) -> None:
    clock = Clock()
    histogram = WavefrontHistogram(clock)
    for value in values:
        histogram.add(value)
    clock.now += 60
    (distribution,) = histogram.get_distribution()
    assert len(distribution.centroids) <= MAX_CENTROIDS
    counts = [count for _, count in distribution.centroids]
    assert all(type(count) is int and count > 0 for count in counts)
    assert sum(counts) == len(values)
    means = [mean for mean, _ in distribution.centroids]
    assert means == sorted(means)


def test_statistics_and_quantiles_are_those_of_past_minutes() -> None:
    clock = Clock()
    histogram = WavefrontHistogram(clock)
    for value in range(1, 101):
        histogram.add(value)
    clock.now += 60
    histogram.add(1e9)  # of the current minute
    assert (histogram.get_count(), histogram.get_sum()) == (100, 5050)
    assert (histogram.get_min(), histogram.get_max(), histogram.get_mean()) == (1, 100, 50.5)
    assert histogram.get_stddev() == pytest.approx(28.87, rel=0.01)
    snapshot = histogram.get_snapshot()
    assert snapshot.get_size() == 100
    assert snapshot.get_median() == pytest.approx(50.5, rel=0.03)
    assert snapshot.get_75th_percentile() == pytest.approx(75, rel=0.03)
    assert snapshot.get_95th_percentile() == pytest.approx(95, rel=0.03)
    assert snapshot.get_99th_percentile() == pytest.approx(99, rel=0.03)
    assert snapshot.get_999th_percentile() == pytest.approx(100, rel=0.03)


def test_one_is_found_by_its_key_and_kind_in_any_registry() -> None:
    for registry in (TaggedRegistry(), MetricsRegistry()):
        made = wavefront_histogram(registry, "h", {"k": "v"})
        assert get(TaggedRegistry.encode_key("h", {"k": "v"}), registry) is made
        registry.histogram("plain")
        assert get("plain", registry) is None
        assert get("absent", registry) is None


def test_registries_and_decorators_of_pyformance_take_one_for_their_own() -> None:
    registry = MetricsRegistry()
    made = wavefront_histogram(registry, "h")
    assert registry.histogram("h") is made
    made.update(2)  # as `hist_calls` does
    assert registry.get_metrics("h")["count"] == 0
    assert pyformance.registry.Histogram in type(made).__mro__
    made.clear()
    assert made.take_all_bins() == []


def test_what_was_counted_down_waits_to_be_counted_up_again() -> None:
    registry = TaggedRegistry()
    counter = delta_counter(registry, "d")
    counter.dec(3)
    assert counter.take() == 0
    counter.inc(5)
    assert counter.take() == 2
    assert counter.take() == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 10**400])
def test_a_delta_counter_counts_on_after_a_value_that_is_no_number(value: float) -> None:
    registry = TaggedRegistry()
    producer = RegistryProducer(registry)
    counter: DeltaCounter = delta_counter(registry, "d")
    counter.inc(value)
    draft = SnapshotDraft()
    producer.drain_into(draft)
    assert draft.points == []
    counter.inc(4)
    producer.drain_into(draft)
    assert [(p.name, p.value) for p in draft.points] == [("∆d.count", 4)]
