"""Several readers of one registry: each gets every change and every minute, once."""

from __future__ import annotations

import gc
import os
import threading
import weakref

import pytest

import wf_instrument
from awkward import Clock
from wf_instrument.metrics import DeltaCounter, TaggedRegistry, delta_counter
from wf_instrument.metrics.pyformance_shim import MetricsRegistry
from wf_instrument.metrics.wavefront_histogram import WavefrontHistogram
from wf_instrument.reporting.registry_feed import RegistryFeed
from wf_instrument.reporting.registry_producer import RegistryProducer
from wf_instrument.reporting.snapshot import SnapshotDraft
from wf_instrument.settings import Settings
from wf_instrument.telemetry import Telemetry
from wf_instrument.testing import RecordingReporter


def deltas(producer: RegistryProducer) -> dict[str, float]:
    draft = SnapshotDraft()
    producer.drain_into(draft)
    return {point.name: point.value for point in draft.points if point.kind == "delta"}


def minutes(producer: RegistryProducer, *, current: bool = False) -> list[tuple[int, float]]:
    draft = SnapshotDraft()
    producer.drain_into(draft, current_minute=current)
    return [(row.minute_s, row.histogram.sum) for row in draft.distributions]


@pytest.fixture
def clock() -> Clock:
    return Clock(1_700_000_040.0)


def test_two_readers_of_one_registry_do_not_steal_from_each_other(clock: Clock) -> None:
    registry = TaggedRegistry()
    counter = delta_counter(registry, "d")
    histogram = WavefrontHistogram(clock)
    registry.add("h", histogram)
    one, other = RegistryProducer(registry), RegistryProducer(registry, "p.")
    counter.inc(2)
    histogram.add(1.0)
    clock.now += 60
    assert deltas(one) == {"∆d.count": 2}
    counter.inc(3)
    assert deltas(one) == {"∆d.count": 3}
    draft = SnapshotDraft()
    other.drain_into(draft)
    assert [(p.name, p.value) for p in draft.points] == [("∆p.d.count", 5)]
    assert [(row.name, row.histogram.count) for row in draft.distributions] == [("p.h", 1)]
    assert minutes(one) == []  # had it with the first drain
    assert deltas(other) == {}


def test_a_reader_gets_what_was_counted_before_it_came_unless_another_took_it() -> None:
    registry = TaggedRegistry()
    counter = delta_counter(registry, "d")
    counter.inc(2)
    one = RegistryProducer(registry)
    assert deltas(one) == {"∆d.count": 2}
    counter.inc(3)
    assert deltas(RegistryProducer(registry)) == {"∆d.count": 3}
    assert deltas(one) == {"∆d.count": 3}


def test_a_minute_another_reader_took_half_of_is_handed_out_whole(clock: Clock) -> None:
    registry = TaggedRegistry()
    histogram = WavefrontHistogram(clock)
    registry.add("h", histogram)
    one, other = RegistryProducer(registry), RegistryProducer(registry)
    histogram.add(1.0)
    assert minutes(one, current=True) == [(1_700_000_040, 1.0)]
    histogram.add(2.0)
    assert minutes(other) == []
    clock.now += 60
    assert minutes(other) == [(1_700_000_040, 3.0)]
    assert minutes(one) == [(1_700_000_040, 2.0)]


def test_a_reader_that_does_not_ask_keeps_ten_minutes_and_counts_the_others(clock: Clock) -> None:
    registry = TaggedRegistry()
    histogram = WavefrontHistogram(clock)
    registry.add("h", histogram)
    busy, idle = RegistryProducer(registry), RegistryProducer(registry)
    for _ in range(15):
        histogram.add(1.0)
        clock.now += 60
        assert len(minutes(busy)) == 1
    assert len(minutes(idle)) == 11
    assert (busy.skipped, idle.skipped) == (0, 4)


def test_a_closed_reader_gets_nothing_more_and_takes_nothing_from_others() -> None:
    registry = TaggedRegistry()
    counter = delta_counter(registry, "d")
    one, closed = RegistryProducer(registry), RegistryProducer(registry)
    counter.inc()
    deltas(one)
    closed.close()
    counter.inc()
    assert deltas(closed) == {}
    assert deltas(one) == {"∆d.count": 1}


@pytest.mark.expects_caught
def test_a_metric_that_fails_costs_only_itself() -> None:
    class Broken(DeltaCounter):
        def take(self) -> float:
            raise RuntimeError("broken")

    registry = MetricsRegistry()
    registry.add("∆broken", Broken())
    delta_counter(registry, "sound").inc()
    assert deltas(RegistryProducer(registry)) == {"∆sound.count": 1}


def test_the_pipeline_hands_the_same_change_to_every_reporter_beside_one_of_its_own() -> None:
    registry = MetricsRegistry()
    apart = RegistryProducer(registry)
    reporters = [RecordingReporter(), RecordingReporter()]
    telemetry = Telemetry(Settings(), reporters=[("a", reporters[0]), ("b", reporters[1])])
    telemetry.add_registry(registry)
    delta_counter(registry, "d").inc(3)
    assert telemetry.flush(10)
    for reporter in reporters:
        assert [p.value for p in reporter.snapshot.points if p.name == "∆d.count"] == [3]
    assert deltas(apart) == {"∆d.count": 3}
    wf_instrument.shutdown(5)


def test_a_registry_added_twice_for_one_destination_is_reported_once() -> None:
    registry = MetricsRegistry()
    shared, apart = RecordingReporter(), RecordingReporter()
    telemetries = [
        Telemetry(Settings(), reporters=[("r", reporter)]) for reporter in (shared, shared, apart)
    ]
    for telemetry in telemetries:
        telemetry.add_registry(registry, "p.")
        telemetry.add_registry(registry, "p.")
        telemetry.add_registry(telemetry.registry)
    delta_counter(registry, "d").inc(3)
    delta_counter(telemetries[0].registry, "own").inc()
    for telemetry in telemetries:
        assert telemetry.flush(10)
    for reporter in (shared, apart):
        points = reporter.snapshot.points
        assert [p.value for p in points if p.name == "∆p.d.count"] == [3]
    assert [p.value for p in shared.snapshot.points if "own" in p.name] == [1]
    wf_instrument.shutdown(5)


def test_readers_of_many_threads_each_get_every_change() -> None:
    registry = TaggedRegistry()
    counter = delta_counter(registry, "d")
    readers = [RegistryProducer(registry) for _ in range(3)]
    sums = [0.0] * 3
    is_over = threading.Event()

    def count() -> None:
        for _ in range(2000):
            counter.inc()

    def read(index: int) -> None:
        while not is_over.is_set():
            sums[index] += deltas(readers[index]).get("∆d.count", 0)

    counting = [threading.Thread(target=count) for _ in range(4)]
    reading = [threading.Thread(target=read, args=(index,)) for index in range(3)]
    for thread in (*counting, *reading):
        thread.start()
    for thread in counting:
        thread.join()
    is_over.set()
    for index, thread in enumerate(reading):
        thread.join()
        sums[index] += deltas(readers[index]).get("∆d.count", 0)
    assert sums == [8000] * 3


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_leaves_what_waits_to_its_parent() -> None:
    registry = TaggedRegistry()
    counter = delta_counter(registry, "d")
    one, other = RegistryProducer(registry), RegistryProducer(registry)
    counter.inc(2)
    deltas(one)
    pid = os.fork()
    if pid == 0:
        counter.inc()
        os._exit(0 if deltas(other) == {"∆d.count": 1} else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert deltas(other) == {"∆d.count": 2}


def test_a_registry_and_its_readers_end_with_their_last_reference() -> None:
    registry = TaggedRegistry()
    feed = RegistryFeed(registry)
    ends = weakref.ref(registry), weakref.ref(feed)
    del registry, feed
    gc.collect()
    assert [end() for end in ends] == [None, None]
