"""Figures of the running interpreter as gauges: CPU, memory, threads, collections, descriptors.

Nothing here waits: the CPU's share is that since the last collection of figures. What a system does
not tell is left out; psutil, if installed, tells more.

Source:
    Wavefront pyformance SDK, runtime metrics: names and tags.

Threads: any thread collects, one at a time under `_lock`; garbage collections are timed in whatever
    thread they happen, by one atomic append.
Fork: the child times its own collections; its share of CPU begins anew. Gauges that tell of the
    parent leave the child's registry.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import guard
from wf_instrument.metrics.pyformance_shim import SimpleGauge
from wf_instrument.metrics.tagged_registry import stored_key
from wf_instrument.metrics.wavefront_histogram import wavefront_histogram

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]  # what it tells is left out

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Mapping

    from wf_instrument.metrics.pyformance_shim import MetricsRegistry

__all__ = ["EventLoopWatch", "RuntimeCollector"]

_MIB: Final = 1024.0 * 1024.0
#: Collections between two looks that are kept; more are counted by Python itself anyway.
_MAX_PAUSES: Final = 10_000
_LOOP_INTERVAL_S: Final = 0.5


class RuntimeCollector:
    """Sets gauges of a registry to what the interpreter and the system tell.

    Args:
        registry: Where the gauges and the histogram `gc.pause.millis` are.
        tags: Tags of all of them; by default `process_id` and `process_name`.
        count_objects: Whether `gc.objects.count` is told, which walks all objects each time.
    """

    def __init__(
        self,
        registry: MetricsRegistry,
        tags: Mapping[str, str] | None = None,
        *,
        count_objects: bool = False,
    ) -> None:
        self._registry = registry
        self._given_tags = None if tags is None else dict(tags)
        self._count_objects = count_objects
        self._loops: list[EventLoopWatch] = []
        self._psutil = _import_psutil()
        self._made: set[str] = set()
        self._reset()
        reset_after_fork(self._in_child)
        gc.callbacks.append(self._on_collection)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._pauses_ms: list[float] = []
        self._collection_began_s = 0.0
        self._cpu_s, self._looked_s = _cpu_seconds(), time.monotonic()
        self.tags = self._given_tags or {
            "process_id": str(os.getpid()),
            "process_name": _process_name(),
        }

    def _in_child(self) -> None:
        for key in self._made:
            self._registry._gauges.pop(key, None)  # noqa: SLF001 - pyformance removes none
        self._made.clear()
        self._reset()

    def close(self) -> None:
        """Time no more collections; a second call does nothing."""
        if self._on_collection in gc.callbacks:
            gc.callbacks.remove(self._on_collection)

    def watch_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell the lag of an event loop too, as `event_loop.lag.millis`."""
        self._loops.append(EventLoopWatch(loop))

    def collect(self) -> None:
        """Set all gauges; what cannot be told is left as it was. Never raises."""
        with self._lock:
            for figures in (
                self._cpu, self._memory, _threads, self._collections, _processes, _switches,
                _descriptors, self._lags,
            ):  # fmt: skip
                with guard("runtime"):
                    for name, value in figures():
                        self._gauge(name).set_value(value)
            n = len(self._pauses_ms)
            pauses = self._pauses_ms[:n]
            # Never the list itself is replaced: a collection may be appending to it.
            del self._pauses_ms[:n]
            if pauses:
                histogram = wavefront_histogram(self._registry, "gc.pause.millis", self.tags)
                for pause_ms in pauses:
                    histogram.add(pause_ms)

    def _gauge(self, name: str) -> Any:
        key = stored_key(self._registry, name, self.tags)
        self._made.add(key)
        gauges = self._registry._gauges  # noqa: SLF001 - pyformance has no other look-up
        return gauges.get(key) or gauges.setdefault(key, SimpleGauge())

    def _cpu(self) -> Iterator[tuple[str, float]]:
        times = os.times()
        yield "cpu.times.usermode", times.user
        yield "cpu.times.systemmode", times.system
        cpu_s, now_s = _cpu_seconds(), time.monotonic()
        passed_s = now_s - self._looked_s
        if passed_s > 0:
            yield "cpu.percent", 100.0 * (cpu_s - self._cpu_s) / passed_s
            self._cpu_s, self._looked_s = cpu_s, now_s

    def _memory(self) -> Iterator[tuple[str, float]]:
        used = _resident_bytes(self._psutil)
        if used is None:
            return
        yield "memory.rss.usage", used / _MIB
        total = _total_bytes(self._psutil)
        if total:
            yield "memory.rss.percent", 100.0 * used / total

    def _collections(self) -> Iterator[tuple[str, float]]:
        for generation, count in enumerate(gc.get_count()):
            yield f"gc.collection.count{generation}", count
        for generation, threshold in enumerate(gc.get_threshold()):
            yield f"gc.threshold.threshold{generation}", threshold
        if self._count_objects:
            yield "gc.objects.count", len(gc.get_objects())

    def _lags(self) -> Iterator[tuple[str, float]]:
        lags = [lag for loop in self._loops if (lag := loop.take_lag_ms()) is not None]
        if lags:
            yield "event_loop.lag.millis", max(lags)

    def _on_collection(self, phase: str, info: Mapping[str, int]) -> None:
        # Collections do not nest; one of another thread in between would be, and is, left out.
        if phase == "start":
            self._collection_began_s = time.perf_counter()
        elif self._collection_began_s:
            pause_ms = (time.perf_counter() - self._collection_began_s) * 1e3
            self._collection_began_s = 0.0
            if len(self._pauses_ms) < _MAX_PAUSES:
                self._pauses_ms.append(pause_ms)


class EventLoopWatch:
    """Measures how late an event loop calls what it was asked to call.

    Args:
        loop: The loop; the watch may be made in any thread, and ends with the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due_s: float | None = None
        self._worst_ms: float | None = None
        loop.call_soon_threadsafe(self._again)

    def take_lag_ms(self) -> float | None:
        """Return the worst lag since the last call, one under way included; None without a loop."""
        if self._loop.is_closed():
            return None
        worst, self._worst_ms = self._worst_ms, None
        due_s = self._due_s
        if due_s is None:
            return worst
        # A loop that is stuck right now has not called us to say so.
        return max(worst or 0.0, (time.monotonic() - due_s) * 1e3, 0.0)

    def _again(self) -> None:
        now_s = time.monotonic()
        if self._due_s is not None:
            self._worst_ms = max(self._worst_ms or 0.0, (now_s - self._due_s) * 1e3)
        self._due_s = now_s + _LOOP_INTERVAL_S
        self._loop.call_later(_LOOP_INTERVAL_S, self._again)


def _cpu_seconds() -> float:
    return time.process_time()


def _import_psutil() -> Any:
    """Return psutil, None where it is not installed; imported for who collects alone."""
    try:
        import psutil
    except ImportError:
        return None
    return psutil


def _process_name() -> str:
    # Not imported for its sake: a process that never used it is the main one.
    loaded = sys.modules.get("multiprocessing")
    return "MainProcess" if loaded is None else str(loaded.current_process().name)


def _resident_bytes(psutil: Any) -> int | None:
    if psutil is not None:
        return int(psutil.Process().memory_info().rss)
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - at every look, and shorter
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _total_bytes(psutil: Any) -> int | None:
    if psutil is not None:
        return int(psutil.virtual_memory().total)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return None


def _threads() -> Iterator[tuple[str, float]]:
    threads = threading.enumerate()
    yield "thread.count", threading.active_count()
    yield "thread.daemon", sum(thread.daemon for thread in threads)
    yield "thread.alive", sum(thread.is_alive() for thread in threads)


def _processes() -> Iterator[tuple[str, float]]:
    loaded = sys.modules.get("multiprocessing")
    children = [] if loaded is None else loaded.active_children()
    yield "processes.count", len(children)
    yield "processes.alive", sum(child.is_alive() for child in children)
    yield "processes.daemon", sum(child.daemon for child in children)


def _switches() -> Iterator[tuple[str, float]]:
    if resource is not None and sys.platform != "win32":
        usage = resource.getrusage(resource.RUSAGE_SELF)
        yield "ctxswitch.voluntary", usage.ru_nvcsw
        yield "ctxswitch.involuntary", usage.ru_nivcsw


def _descriptors() -> Iterator[tuple[str, float]]:
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            # Without the one that reading the folder takes.
            yield "file_descriptors.open", len(os.listdir(folder)) - 1  # noqa: PTH208 - as above
        except OSError:
            continue
        return
