"""Figures of the running process, as metrics of a registry.

Counters hold the system's own totals; figures that go up and down are gauges. What a system does
not tell is left out.

Source:
    Apptuit's client for Python, README, "Python Process Metrics".

Threads: one at a time, that of a report.
Fork: the child's figures carry its own process id; those of the parent leave its registry.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.apptuit.timeseries import encode_metric
from wf_instrument.forking import reset_after_fork
from wf_instrument.metrics.pyformance_shim import SimpleGauge

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]  # what it tells is left out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.metrics.pyformance_shim import MetricsRegistry

__all__ = ["RESOURCE_STRUCT_RUSAGE", "ProcessMetrics"]

#: Metric, value of its tag `type`, field of `getrusage`.
RESOURCE_STRUCT_RUSAGE: Final = (
    ("python.cpu.time.used.seconds", "user", "ru_utime"),
    ("python.cpu.time.used.seconds", "system", "ru_stime"),
    ("python.page.faults", "major", "ru_majflt"),
    ("python.page.faults", "minor", "ru_minflt"),
    ("python.process.swaps", None, "ru_nswap"),
    ("python.block.operations", "input", "ru_inblock"),
    ("python.block.operations", "output", "ru_oublock"),
    ("python.ipc.messages", "sent", "ru_msgsnd"),
    ("python.ipc.messages", "received", "ru_msgrcv"),
    ("python.system.signals", None, "ru_nsignals"),
    ("python.context.switches", "voluntary", "ru_nvcsw"),
    ("python.context.switches", "involuntary", "ru_nivcsw"),
)
#: As above, of memory, which goes up and down.
_MEMORY: Final = (
    ("shared", "ru_ixrss"),
    ("unshared", "ru_idrss"),
    ("unshared_stack_size", "ru_isrss"),
)
#: Of what `getrusage` tells of memory. Source: getrusage(2) of Linux, and of macOS.
_MEMORY_UNIT_BYTES: Final = 1 if sys.platform == "darwin" else 1024


class ProcessMetrics:
    """Keeps metrics of this process in a registry.

    Args:
        registry: Where they are.
    """

    def __init__(self, registry: MetricsRegistry) -> None:
        self.registry = registry
        self._reset()
        reset_after_fork(self._in_child)

    def _reset(self) -> None:
        self._counted: dict[str, float] = {}
        self._gauges: set[str] = set()

    def _in_child(self) -> None:
        for key in self._counted:
            self.registry._counters.pop(key, None)  # noqa: SLF001 - pyformance removes none
        for key in self._gauges:
            self.registry._gauges.pop(key, None)  # noqa: SLF001 - as above
        self._reset()

    def collect_process_metrics(self) -> None:
        """Bring all metrics up to date."""
        if resource is not None and sys.platform != "win32":
            usage = resource.getrusage(resource.RUSAGE_SELF)
            for name, type_, field in RESOURCE_STRUCT_RUSAGE:
                self._count(name, type_, getattr(usage, field))
            for type_, field in _MEMORY:
                self._set("python.memory.usage.bytes", type_, getattr(usage, field) * 1024)
            self._set("python.memory.usage.bytes", "main", _memory_bytes(usage.ru_maxrss))
        for type_, number in _threads():
            self._set("python.thread", type_, number)
        if gc.isenabled():
            for generation, number in enumerate(gc.get_count()):
                self._set("python.gc.collection", f"collection_{generation}", number)
            for generation, number in enumerate(gc.get_threshold()):
                self._set("python.gc.threshold", f"threshold_{generation}", number)

    def _count(self, name: str, type_: str | None, total: float) -> None:
        key = _key(name, type_)
        self.registry.counter(key).inc(total - self._counted.get(key, 0))
        self._counted[key] = total

    def _set(self, name: str, type_: str, value: float) -> None:
        key = _key(name, type_)
        self._gauges.add(key)
        self.registry.gauge(key, SimpleGauge()).set_value(value)


def _key(name: str, type_: str | None) -> str:
    tags: dict[str, Any] = {"worker_id": os.getpid()}
    if type_ is not None:
        tags["type"] = type_
    return encode_metric(name, tags)


def _memory_bytes(largest: int) -> int:
    """Return the resident memory; where the system does not tell, the most there ever was."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - at every report, and shorter
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return largest * _MEMORY_UNIT_BYTES


def _threads() -> Iterator[tuple[str, int]]:
    threads = threading.enumerate()
    yield "demon", sum(thread.daemon for thread in threads)
    yield "alive", sum(not thread.daemon for thread in threads)
    # Threads that Python did not start; there is no other way to tell them.
    yield "dummy", sum(isinstance(thread, threading._DummyThread) for thread in threads)  # noqa: SLF001
