"""Figures of the running interpreter: without waiting, and for what the system tells."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import wf_instrument
from loopback import LoopbackReceiver
from wf_instrument.backends.wavefront import WavefrontProxyReporter
from wf_instrument.metrics import RuntimeCollector, TaggedRegistry
from wf_instrument.metrics.pyformance_shim import MetricsRegistry
from wf_instrument.metrics.runtime import EventLoopWatch
from wf_instrument.settings import Settings
from wf_instrument.telemetry import Telemetry
from wf_instrument.testing import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = {
    "cpu.times.usermode", "cpu.times.systemmode", "cpu.percent", "memory.rss.usage",
    "memory.rss.percent", "thread.count", "thread.daemon", "thread.alive",
    "gc.collection.count0", "gc.collection.count1", "gc.collection.count2",
    "gc.threshold.threshold0", "gc.threshold.threshold1", "gc.threshold.threshold2",
    "processes.count", "processes.alive", "processes.daemon", "ctxswitch.voluntary",
    "ctxswitch.involuntary", "file_descriptors.open",
}  # fmt: skip


@pytest.fixture
def registry() -> TaggedRegistry:
    return TaggedRegistry()


@pytest.fixture
def collector(registry: TaggedRegistry) -> Iterator[RuntimeCollector]:
    made = RuntimeCollector(registry)
    yield made
    made.close()


def values(registry: TaggedRegistry, collector: RuntimeCollector) -> dict[str, float]:
    return {
        name: registry.gauge(name, tags=collector.tags).get_value()
        for name in NAMES
        if registry.has_gauge(name, collector.tags)
    }


def test_every_figure_is_told_with_the_process_it_is_of(
    registry: TaggedRegistry, collector: RuntimeCollector
) -> None:
    collector.collect()
    assert collector.tags == {"process_id": str(os.getpid()), "process_name": "MainProcess"}
    found = values(registry, collector)
    assert set(found) == NAMES
    assert found["memory.rss.usage"] > 5
    assert 0 < found["memory.rss.percent"] < 100
    assert found["thread.count"] >= found["thread.alive"] >= 1
    assert found["file_descriptors.open"] >= 3
    assert not registry.has_gauge("gc.objects.count", collector.tags)


def test_nothing_waits(collector: RuntimeCollector) -> None:
    began = time.monotonic()
    for _ in range(20):
        collector.collect()
    assert time.monotonic() - began < 10  # a second of waiting each was the rule once


def test_the_share_of_cpu_is_that_since_the_last_look(
    registry: TaggedRegistry, collector: RuntimeCollector
) -> None:
    collector.collect()
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    collector.collect()
    assert values(registry, collector)["cpu.percent"] > 10
    threading.Event().wait(0.1)
    collector.collect()
    assert values(registry, collector)["cpu.percent"] < 50


def test_threads_and_descriptors_are_counted(
    registry: TaggedRegistry, collector: RuntimeCollector
) -> None:
    collector.collect()
    before = values(registry, collector)
    is_over = threading.Event()
    thread = threading.Thread(target=is_over.wait, daemon=True)
    thread.start()
    pipe = os.pipe()
    collector.collect()
    after = values(registry, collector)
    is_over.set()
    thread.join()
    for descriptor in pipe:
        os.close(descriptor)
    assert after["thread.daemon"] - before["thread.daemon"] == 1
    assert after["file_descriptors.open"] - before["file_descriptors.open"] == 2


def test_pauses_for_garbage_are_a_histogram(registry: TaggedRegistry) -> None:
    collector = RuntimeCollector(registry, {"tier": "web"}, count_objects=True)
    gc.collect()
    collector.collect()
    (key,) = registry._histograms  # noqa: SLF001 - pyformance has no other look-up
    assert key == 'gc.pause.millis-tags={"tier": "web"}'
    distribution = registry._histograms[key].get_current_minute_distribution()  # noqa: SLF001 - as above
    assert sum(count for _, count in distribution.centroids) >= 1
    assert registry.gauge("gc.objects.count", tags={"tier": "web"}).get_value() > 1000
    collector.close()
    callbacks = len(gc.callbacks)
    collector.close()
    assert len(gc.callbacks) == callbacks


def test_plain_registries_get_tags_in_the_key() -> None:
    registry = MetricsRegistry()
    collector = RuntimeCollector(registry, {"a": "b"})
    collector.collect()
    collector.close()
    assert 'thread.count-tags={"a": "b"}' in registry._gauges  # noqa: SLF001 - pyformance has no other look-up


def test_a_loop_that_is_stuck_shows_while_it_is(
    registry: TaggedRegistry, collector: RuntimeCollector
) -> None:
    lags: list[float] = []

    async def main() -> None:
        watch = EventLoopWatch(asyncio.get_running_loop())
        await asyncio.sleep(0)
        assert watch.take_lag_ms() == 0
        time.sleep(0.6)  # noqa: ASYNC251 - what is to be seen
        lags.append(watch.take_lag_ms() or 0)
        await asyncio.sleep(0)
        collector.watch_loop(asyncio.get_running_loop())
        await asyncio.sleep(0)
        collector.collect()

    asyncio.run(main())
    assert lags[0] >= 90
    assert registry.gauge("event_loop.lag.millis", tags=collector.tags).get_value() >= 0
    collector.collect()  # the loop is closed, which harms nobody


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_tells_its_own_process(collector: RuntimeCollector) -> None:
    pid = os.fork()
    if pid == 0:
        collector.collect()
        os._exit(0 if collector.tags["process_id"] == str(os.getpid()) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_tells_nothing_of_its_parent(
    registry: TaggedRegistry, collector: RuntimeCollector
) -> None:
    registry.gauge("own", lambda: 1)
    collector.collect()
    parent = str(os.getpid())
    pid = os.fork()
    if pid == 0:
        collector.collect()
        keys = list(registry._gauges)  # noqa: SLF001 - pyformance has no other look-up
        os._exit(0 if "own" in keys and not any(parent in key for key in keys) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_reporters_report_them_when_asked() -> None:
    with LoopbackReceiver() as proxy:
        reporter = WavefrontProxyReporter(
            "127.0.0.1", proxy.port, registry=MetricsRegistry(), enable_runtime_metrics=True
        )
        reporter.stop()
        names = {line.split('"')[1] for line in proxy.lines("f=wavefront")}
    assert {f"proxy.{name}.value" for name in NAMES} <= names


def test_the_pipeline_reports_them_when_asked() -> None:
    reporter: Any = RecordingReporter()
    telemetry = Telemetry(Settings(runtime_metrics=True), reporters=[("recording", reporter)])
    assert telemetry.flush(10)
    assert {f"{name}.value" for name in NAMES} <= {p.name for p in reporter.snapshot.points}
    wf_instrument.shutdown(5)
