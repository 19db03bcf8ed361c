"""Figures of the process: what they are called, and that they are true."""

from __future__ import annotations

import gc
import json
import os
import threading

import pytest

from compat.legacy_program import run
from wf_instrument.backends.apptuit import ProcessMetrics, decode_metric
from wf_instrument.metrics.pyformance_shim import MetricsRegistry

COUNTERS = {
    ("python.cpu.time.used.seconds", "user"),
    ("python.cpu.time.used.seconds", "system"),
    ("python.page.faults", "major"),
    ("python.page.faults", "minor"),
    ("python.process.swaps", None),
    ("python.block.operations", "input"),
    ("python.block.operations", "output"),
    ("python.ipc.messages", "sent"),
    ("python.ipc.messages", "received"),
    ("python.system.signals", None),
    ("python.context.switches", "voluntary"),
    ("python.context.switches", "involuntary"),
}
GAUGES = {
    *(
        ("python.memory.usage.bytes", type_)
        for type_ in ("main", "shared", "unshared", "unshared_stack_size")
    ),
    *(("python.thread", type_) for type_ in ("demon", "alive", "dummy")),
    *(("python.gc.collection", f"collection_{n}") for n in range(3)),
    *(("python.gc.threshold", f"threshold_{n}") for n in range(3)),
}


def figures(registry: MetricsRegistry) -> dict[tuple[str, str | None], float]:
    found: dict[tuple[str, str | None], float] = {}
    for key, values in registry.dump_metrics().items():
        name, tags = decode_metric(key)
        assert tags["worker_id"] == os.getpid()
        (found[name, tags.get("type")],) = values.values()
    return found


def kinds(registry: MetricsRegistry, kind: str) -> set[tuple[str, str | None]]:
    names: set[tuple[str, str | None]] = set()
    for key, values in registry.dump_metrics().items():
        name, tags = decode_metric(key)
        if kind in values:
            names.add((name, tags.get("type")))
    return names


def test_there_are_25_series_with_these_names_tags_and_kinds() -> None:
    registry = MetricsRegistry()
    ProcessMetrics(registry).collect_process_metrics()
    assert kinds(registry, "count") == COUNTERS
    assert kinds(registry, "value") == GAUGES
    assert len(COUNTERS | GAUGES) == 25


#: In a process of one thread: of several, psutil tells the switches of the first alone.
PROGRAM = """
import json, os, time
import psutil
from wf_instrument.backends.apptuit import ProcessMetrics, decode_metric
from wf_instrument.metrics.pyformance_shim import MetricsRegistry

process = psutil.Process()
registry = MetricsRegistry()
metrics = ProcessMetrics(registry)

def look():
    times, switches = process.cpu_times(), process.num_ctx_switches()
    return {
        "python.cpu.time.used.seconds user": times.user,
        "python.cpu.time.used.seconds system": times.system,
        "python.context.switches voluntary": switches.voluntary,
        "python.context.switches involuntary": switches.involuntary,
        "python.memory.usage.bytes main": process.memory_info().rss,
        "python.thread alive": process.num_threads(),
    }

def figures():
    for key, values in registry.dump_metrics().items():
        name, tags = decode_metric(key)
        yield f"{name} {tags.get('type')}", *values.values()

kept, reports = [], []
for report in range(10):
    # CPU time, memory, system calls and switches that the next look has to find.
    kept.append(bytearray(os.urandom(2_000_000)))
    sum(n * n for n in range(200_000))
    time.sleep(0.005)
    if report == 6:
        kept.clear()
    before = look()
    metrics.collect_process_metrics()
    reports.append([before, dict(figures()), look()])
print(json.dumps(reports))
"""
#: psutil tells times in hundredths of a second; a page or two of memory come and go.
SLACK = {"python.cpu.time.used.seconds": 0.02, "python.memory.usage.bytes": 1_000_000}


@pytest.mark.slow
def test_process_metrics_agree_with_psutil_over_ten_reports() -> None:
    pytest.importorskip("psutil")
    reports = json.loads(run(PROGRAM))
    assert len(reports) == 10
    for before, told, after in reports:
        for name, low in before.items():
            slack = SLACK.get(name.split()[0], 0)
            assert low - slack <= told[name] <= max(low, after[name]) + slack, name
    memory = [told["python.memory.usage.bytes main"] for _, told, _ in reports]
    assert max(memory[:6]) - memory[6] > 5_000_000  # what was given back is not told any more


def test_counters_hold_the_systems_totals_after_several_reports() -> None:
    resource = pytest.importorskip("resource")
    registry = MetricsRegistry()
    metrics = ProcessMetrics(registry)
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_SELF)
        metrics.collect_process_metrics()
        after = resource.getrusage(resource.RUSAGE_SELF)
        told = figures(registry)
        for field, name in (
            ("ru_minflt", ("python.page.faults", "minor")),
            ("ru_majflt", ("python.page.faults", "major")),
            ("ru_oublock", ("python.block.operations", "output")),
            ("ru_nsignals", ("python.system.signals", None)),
        ):
            assert getattr(before, field) <= told[name] <= getattr(after, field)
        bytearray(5_000_000)


def test_threads_are_told_by_kind() -> None:
    done = threading.Event()
    threads = [threading.Thread(target=done.wait, daemon=n < 2) for n in range(3)]
    registry = MetricsRegistry()
    metrics = ProcessMetrics(registry)
    metrics.collect_process_metrics()
    before = figures(registry)
    for thread in threads:
        thread.start()
    metrics.collect_process_metrics()
    told = figures(registry)
    done.set()
    for thread in threads:
        thread.join()
    grown = {t: told["python.thread", t] - before["python.thread", t] for t in ("demon", "alive")}
    assert grown == {"demon": 2, "alive": 1}


def test_thresholds_and_counts_of_the_garbage_collector_are_as_they_are() -> None:
    registry = MetricsRegistry()
    metrics = ProcessMetrics(registry)
    for _ in range(3):
        metrics.collect_process_metrics()
    told = figures(registry)
    thresholds = tuple(told["python.gc.threshold", f"threshold_{n}"] for n in range(3))
    assert thresholds == gc.get_threshold()


def test_without_getrusage_the_rest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    # As on Windows.
    monkeypatch.setattr("wf_instrument.backends.apptuit.process_metrics.resource", None)
    registry = MetricsRegistry()
    ProcessMetrics(registry).collect_process_metrics()
    assert ("python.thread", "alive") in figures(registry)
    assert kinds(registry, "count") == set()
