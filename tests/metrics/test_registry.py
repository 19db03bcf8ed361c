"""Tagged registries, delta counters and Wavefront histograms, and how they are drained."""

from __future__ import annotations

import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wf_instrument.metrics import (
    TaggedRegistry,
    delta_counter,
    get_delta_name,
    is_delta_counter,
    wavefront_histogram,
)
from wf_instrument.metrics.pyformance_shim import MetricsRegistry
from wf_instrument.metrics.tagged_registry import decode_key
from wf_instrument.metrics.wavefront_histogram import WavefrontHistogram
from wf_instrument.reporting.registry_producer import RegistryProducer
from wf_instrument.reporting.snapshot import SnapshotDraft


def drained(producer: RegistryProducer) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    draft = SnapshotDraft()
    producer.drain_into(draft)
    return {(p.name, p.tags): p.value for p in draft.points}


def test_key_and_tags_name_one_metric() -> None:
    registry = TaggedRegistry()
    registry.counter("c", {"b": "2", "a": "1"}).inc(3)
    assert registry.counter("c", {"a": "1", "b": "2"}).get_count() == 3
    assert registry.has_counter("c", {"a": "1", "b": "2"})
    assert not registry.has_counter("c")
    assert registry.encode_key("c", {"b": "2", "a": "1"}) == 'c-tags={"a": "1", "b": "2"}'


@given(key=st.text(), tags=st.dictionaries(st.text(), st.text(), max_size=3))
@example(key="", tags={"-tags=": ""})
@example(key="a-tags={}", tags={})
@example(key="a-tags=", tags={"k": "-tags={}"})
def test_any_key_comes_back_with_its_tags(key: str, tags: dict[str, str]) -> None:
    assert decode_key(TaggedRegistry.encode_key(key, tags)) == (key, tags)


def test_values_have_the_keys_of_pyformance() -> None:
    registry = TaggedRegistry()
    registry.counter("c", {"t": "1"}).inc(2)
    registry.gauge("g", lambda: 7)
    registry.meter("m").mark()
    registry.timer("t")
    registry.histogram("h").add(4)
    points = drained(RegistryProducer(registry, "p."))
    assert points["p.c.count", (("t", "1"),)] == 2
    assert points["p.g.value", ()] == 7
    assert points["p.h.max", ()] == 4
    assert {name for name, _ in points} >= {
        "p.m.count", "p.m.mean_rate", "p.m.1m_rate", "p.m.5m_rate", "p.m.15m_rate", "p.t.count",
        "p.h.avg", "p.h.sum", "p.h.count", "p.h.min", "p.h.std_dev", "p.h.50_percentile",
        "p.h.75_percentile", "p.h.95_percentile", "p.h.99_percentile", "p.h.999_percentile",
    }  # fmt: skip


@pytest.mark.expects_caught
def test_a_gauge_that_raises_or_is_no_number_costs_only_itself() -> None:
    registry = MetricsRegistry()
    registry.gauge("bad", lambda: 1 / 0)
    registry.gauge("text", lambda: "warm")
    registry.gauge("unset")
    registry.gauge("good", lambda: 1)
    producer = RegistryProducer(registry)
    assert drained(producer) == {("good.value", ()): 1}
    assert producer.skipped == 2


def test_a_delta_counter_gives_its_change_once_and_nothing_when_unchanged() -> None:
    registry = TaggedRegistry()
    counter = delta_counter(registry, "orders", {"shop": "north"})
    assert delta_counter(registry, "∆orders", {"shop": "north"}) is counter
    producer = RegistryProducer(registry, "p.")
    counter.inc(5)
    assert drained(producer) == {("∆p.orders.count", (("shop", "north"),)): 5}
    assert drained(producer) == {}
    counter.inc()
    assert drained(producer) == {("∆p.orders.count", (("shop", "north"),)): 1}
    assert get_delta_name("p.", "Δx", "count") == "∆p.x.count"
    assert is_delta_counter(registry.encode_key("∆orders", {"shop": "north"}), registry)


def test_no_change_of_a_delta_counter_is_lost_between_threads() -> None:
    registry = MetricsRegistry()
    counter = delta_counter(registry, "n")
    taken = 0.0
    threads = [
        threading.Thread(target=lambda: [counter.inc() for _ in range(5000)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken += counter.take()
    assert taken + counter.take() == 20_000


def test_a_name_of_another_kind_is_refused() -> None:
    registry = TaggedRegistry()
    registry.counter("∆x")
    registry.histogram("h")
    with pytest.raises(TypeError, match="plain counter"):
        delta_counter(registry, "x")
    with pytest.raises(TypeError, match="plain histogram"):
        wavefront_histogram(registry, "h")


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_wavefront_histogram_hands_out_past_minutes_once_in_seconds() -> None:
    clock = Clock()
    histogram = WavefrontHistogram(clock)
    for value in (1.0, 2.0, 3.0):
        histogram.add(value)
    assert histogram.get_distribution() == []
    assert histogram.get_count() == 0
    current = histogram.get_current_minute_distribution()
    assert (current.timestamp, sum(n for _, n in current.centroids)) == (1_699_999_980, 3)
    clock.now += 60
    histogram.add(10.0)
    assert (histogram.get_count(), histogram.get_mean(), histogram.get_max()) == (3, 2.0, 3.0)
    (distribution,) = histogram.get_distribution()
    assert distribution.timestamp == 1_699_999_980
    assert distribution.centroids == [(1.0, 1), (2.0, 1), (3.0, 1)]
    assert histogram.get_distribution() == []


def test_ten_past_minutes_are_kept_and_the_loss_of_older_ones_is_counted() -> None:
    clock = Clock()
    histogram = WavefrontHistogram(clock)
    for _ in range(15):
        histogram.add(1.0)
        clock.now += 60
    histogram.add(1.0)
    assert len(histogram.get_distribution()) == 10
    assert histogram.dropped_bins == 5


def test_no_value_of_a_wavefront_histogram_is_lost_between_threads() -> None:
    registry = TaggedRegistry()
    histogram = wavefront_histogram(registry, "h", {"a": "b"})
    threads = [
        threading.Thread(target=lambda: [histogram.add(1.0) for _ in range(5000)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(values.count for _, values in histogram.take_all_bins()) == 20_000
