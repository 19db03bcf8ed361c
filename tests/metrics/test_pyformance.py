"""Plain pyformance: its registries and its module-level decorators, reported like ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import wf_instrument
from awkward import Clock
from loopback import LoopbackReceiver
from wf_instrument.backends.wavefront import WavefrontProxyReporter
from wf_instrument.metrics.pyformance_shim import (
    Counter,
    Histogram,
    Meter,
    MetricsRegistry,
    pyformance,
)
from wf_instrument.reporting.registry_producer import RegistryProducer
from wf_instrument.reporting.snapshot import SnapshotDraft
from wf_instrument.settings import Settings
from wf_instrument.telemetry import Telemetry
from wf_instrument.testing import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator


def points_of(registry: MetricsRegistry) -> dict[str, float]:
    draft = SnapshotDraft()
    RegistryProducer(registry).drain_into(draft)
    return {point.name: point.value for point in draft.points}


@pytest.fixture
def global_registry() -> Iterator[MetricsRegistry]:
    """pyformance's global registry, another one for each test."""
    before = pyformance.global_registry()
    pyformance.set_global_registry(MetricsRegistry())
    yield pyformance.global_registry()
    pyformance.set_global_registry(before)


def call_decorated() -> None:
    @pyformance.count_calls
    def counted() -> None: ...

    @pyformance.meter_calls
    def metered() -> None: ...

    @pyformance.time_calls
    def timed() -> None: ...

    @pyformance.hist_calls
    def sized(size: object) -> object:
        return size

    counted()
    counted()
    metered()
    timed()
    assert sized(4) == 4
    assert sized("no number") == "no number"


CALLS = "call_decorated.<locals>."


def test_the_decorators_of_pyformance_are_reported_with_the_global_registry(
    global_registry: MetricsRegistry,
) -> None:
    reporter = RecordingReporter()
    telemetry = Telemetry(Settings(), reporters=[("recording", reporter)])
    telemetry.add_registry(pyformance.global_registry(), "own.")
    call_decorated()
    assert telemetry.flush(10)
    points = {point.name: point.value for point in reporter.snapshot.points}
    assert points[f"own.{CALLS}counted_calls.count"] == 2
    assert points[f"own.{CALLS}metered_calls.count"] == 1
    assert points[f"own.{CALLS}timed_calls.count"] == 1
    assert points[f"own.{CALLS}sized_calls.max"] == 4
    wf_instrument.shutdown(5)


@pytest.mark.parametrize("is_named", [True, False])
def test_the_wavefront_reporters_send_the_global_registry(
    global_registry: MetricsRegistry, is_named: bool
) -> None:
    call_decorated()
    with LoopbackReceiver() as proxy:
        registry = global_registry if is_named else None
        WavefrontProxyReporter("127.0.0.1", proxy.port, registry=registry, source="h").stop()
        lines = "".join(proxy.lines("f=wavefront"))
    assert '"proxy.call_decorated.-locals-.counted_calls.count" 2.0' in lines
    assert '"proxy.call_decorated.-locals-.sized_calls.99_percentile" 4.0' in lines
    assert '"proxy.call_decorated.-locals-.timed_calls.mean_rate"' in lines


def test_several_decorators_on_one_function_report_each_value_once_and_say_so_once(
    global_registry: MetricsRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    @pyformance.count_calls
    @pyformance.time_calls
    @pyformance.meter_calls
    def work() -> None: ...

    work()
    producer = RegistryProducer(global_registry)
    for _ in range(2):
        draft = SnapshotDraft()
        producer.drain_into(draft)
        names = [point.name.rpartition(".")[2] for point in draft.points]
        assert sorted(names) == sorted(set(names))
        assert {"count", "avg", "mean_rate", "1m_rate"} <= set(names)
    (record,) = caplog.records
    assert "metrics of several kinds are called" in record.getMessage()
    assert "work_calls.count" in record.getMessage()


def test_a_counter_and_a_histogram_of_one_name_cost_each_other_nothing_but_the_count() -> None:
    registry = MetricsRegistry()
    registry.counter("x").inc(7)
    registry.histogram("x").add(3)
    points = points_of(registry)
    assert (points["x.count"], points["x.max"]) == (1, 3)
    registry.gauge("x").set_value(5)  # its value has a name of its own
    assert points_of(registry)["x.value"] == 5


def test_what_cannot_be_registered_is_told() -> None:
    registry = MetricsRegistry()
    registry.add("c", Counter())
    with pytest.raises(LookupError, match="'c' already registered"):
        registry.add("c", Counter())
    with pytest.raises(TypeError, match="register metric 'n'"):
        registry.add("n", object())


@pytest.mark.parametrize("value", [-5, -0.5, float("nan"), float("inf"), float("-inf"), 10**400])
def test_no_number_makes_a_plain_metric_fail(value: float) -> None:
    registry = MetricsRegistry()
    registry.counter("counter").inc(value)
    registry.gauge("gauge").set_value(value)
    registry.add("sound", Counter())
    producer = RegistryProducer(registry)
    draft = SnapshotDraft()
    producer.drain_into(draft)
    is_told = abs(value) < 1e300
    assert producer.skipped == (0 if is_told else 2)
    told = {"counter.count": value, "gauge.value": value} if is_told else {}
    assert {p.name: p.value for p in draft.points} == {**told, "sound.count": 0}


@pytest.mark.parametrize("value", [-5, -0.5, float("nan"), float("inf"), float("-inf")])
def test_no_number_makes_a_distribution_or_rate_of_pyformance_fail(value: float) -> None:
    registry = MetricsRegistry()
    registry.histogram("histogram").add(value)
    registry.meter("meter").mark(value)
    registry.timer("timer")._update(value)  # noqa: SLF001 - what a clock set back gives it
    points = points_of(registry)
    assert points["histogram.count"] == 1
    if abs(value) < 1:
        assert (points["histogram.min"], points["meter.count"]) == (value, value)
    assert points["timer.count"] == (1 if value == float("inf") else 0)


def test_a_clock_that_steps_back_or_stands_still_costs_one_rate() -> None:
    clock = Clock()
    registry = MetricsRegistry(clock=clock)
    registry.meter("still").mark()
    with registry.timer("back").time():
        clock.now -= 100
    registry.add("later", Meter(clock=clock))
    registry.add("histogram", Histogram(clock=clock))
    points = points_of(registry)
    assert points["still.count"] == 1
    assert "later.1m_rate" in points
    assert points["back.count"] == 0
    clock.now += 100
    points = points_of(registry)
    assert "still.mean_rate" not in points
    assert "still.15m_rate" in points


def test_keys_that_are_no_text_are_reported_as_text() -> None:
    registry = MetricsRegistry()
    registry.counter(5).inc()
    registry.counter(("a", 1)).inc(2)
    assert points_of(registry) == {"5.count": 1, "('a', 1).count": 2}
