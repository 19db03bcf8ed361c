"""The Wavefront SDK's own small metrics: counters and gauges that a registry reports by itself.

Threads: any thread counts; a `Ticker`, started by the first metric, reports.
Locks: each counter has one for its number; the registry's `_reporting` lets one thread at a time
    report, so that no change is sent twice, and `_making` guards the making of metrics.
Fork: the child's counters begin at 0: what was counted before is the parent's to report.
Loss: what the sender refuses of a delta counter stays in it and goes with the next report; what
    was counted after the last report and before an end without `close` is lost.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from wf_instrument.errors import QueueFullError, SendError
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import caught
from wf_instrument.metrics.delta_counter import get_delta_name
from wf_instrument.ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "MetricSender",
    "WavefrontSdkCounter",
    "WavefrontSdkDeltaCounter",
    "WavefrontSdkGauge",
    "WavefrontSdkMetric",
    "WavefrontSdkMetricsRegistry",
]

log = logging.getLogger(__name__)

_CLOSE_TIMEOUT_S: Final = 5.0

_Metric = TypeVar("_Metric", bound="WavefrontSdkMetric")


class MetricSender(Protocol):
    """What a registry reports through: `WavefrontClient` and its relatives."""

    def send_metric(
        self,
        name: str,
        value: float,
        timestamp: int | None,
        source: str | None,
        tags: Mapping[str, str] | None,
    ) -> None:
        """Send a point."""

    def send_delta_counter(
        self, name: str, value: float, source: str | None, tags: Mapping[str, str] | None
    ) -> None:
        """Send the change of a counter."""


class WavefrontSdkMetric:
    """What counters and gauges of a `WavefrontSdkMetricsRegistry` are."""


class WavefrontSdkCounter(WavefrontSdkMetric):
    """A number that threads count up and down; reported as it stands."""

    def __init__(self) -> None:
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def inc(self, num: int = 1) -> None:
        """Count up."""
        with self._lock:
            self._count += num

    def dec(self, num: int = 1) -> None:
        """Count down."""
        with self._lock:
            self._count -= num

    def count(self) -> int:
        """Return the number."""
        return self._count

    def clear(self) -> None:
        """Begin at 0 again."""
        with self._lock:
            self._count = 0


class WavefrontSdkDeltaCounter(WavefrontSdkCounter):
    """A counter of which the change is reported, and subtracted once it was taken."""


class WavefrontSdkGauge(WavefrontSdkMetric):
    """A number asked for when it is reported.

    Args:
        supplier: Returns the number.
    """

    def __init__(self, supplier: Callable[[], object]) -> None:
        self._supplier = supplier

    def get_value(self) -> object:
        """Return what the supplier returns; raises what it raises."""
        return self._supplier()


class WavefrontSdkMetricsRegistry:
    """Owns metrics and reports them through a sender, from the first one on.

    Args:
        wf_metric_sender: Takes the points; not closed with the registry.
        source: Who reports; the sender's default when None.
        tags: Point tags of everything.
        prefix: Put in front of every name, with a dot.
        reporting_interval_secs: Seconds between two reports.
    """

    def __init__(
        self,
        wf_metric_sender: MetricSender,
        source: str | None = None,
        tags: Mapping[str, str] | None = None,
        prefix: str | None = None,
        reporting_interval_secs: float = 60,
    ) -> None:
        self.wf_metric_sender = wf_metric_sender
        self.source = source
        self.tags = dict(tags or {})
        self.prefix = f"{prefix}." if prefix else ""
        self._metrics: dict[str, WavefrontSdkMetric] = {}
        self._is_closed = False
        self._ticker = Ticker("wavefront.sdk_metrics", self.report, reporting_interval_secs)
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._making = threading.Lock()
        self._reporting = threading.Lock()

    def new_counter(self, name: str) -> WavefrontSdkCounter:
        """Return the counter of that name, made if need be; reported as `name.count`.

        Raises:
            TypeError: The name belongs to a metric of another kind, here as below.
        """
        return self._get(name, WavefrontSdkCounter, WavefrontSdkCounter)

    def new_delta_counter(self, name: str) -> WavefrontSdkDeltaCounter:
        """Return the delta counter of that name, made if need be; reported as `∆name.count`."""
        return self._get(name, WavefrontSdkDeltaCounter, WavefrontSdkDeltaCounter)

    def new_gauge(self, name: str, supplier: Callable[[], object]) -> WavefrontSdkGauge:
        """Return the gauge of that name, made if need be; an existing one keeps its supplier."""
        return self._get(name, WavefrontSdkGauge, lambda: WavefrontSdkGauge(supplier))

    def report(self) -> None:
        """Send all metrics now; what fails is counted and left out."""
        with self._reporting:
            now_s = int(time.time())
            for name, metric in tuple(self._metrics.items()):
                try:
                    self._send(self.prefix + name, metric, now_s)
                except QueueFullError:
                    pass  # counted and logged by the sender
                except SendError as error:
                    log.debug("own metrics wait for the next report: %s", error)
                    return  # what follows would fail alike, each after a time-out
                except Exception as error:  # noqa: BLE001 - one metric must not cost the others
                    caught("wavefront.sdk_metric", error)

    def close(self, timeout_secs: float | None = None) -> None:
        """Stop reporting, waiting up to `timeout_secs` (5 when None), then report once more.

        A second call does nothing.
        """
        with self._making:
            if self._is_closed:
                return
            self._is_closed = True
        self._ticker.close(_CLOSE_TIMEOUT_S if timeout_secs is None else timeout_secs)
        self.report()

    def _get(self, name: str, kind: type[_Metric], make: Callable[[], _Metric]) -> _Metric:
        with self._making:
            metric = self._metrics.get(name)
            if metric is None:
                metric = self._metrics[name] = make()
        self._ticker.start()
        # Exactly the kind: a delta counter is a counter, but reported differently.
        if type(metric) is not kind:
            raise TypeError(
                f"metric {name!r} is a {type(metric).__name__} of this registry, "
                f"not a {kind.__name__}; choose another name"
            )
        return metric

    def _send(self, name: str, metric: WavefrontSdkMetric, now_s: int) -> None:
        sender = self.wf_metric_sender
        if isinstance(metric, WavefrontSdkGauge):
            value = metric.get_value()
            if isinstance(value, (int, float)) and math.isfinite(value):
                sender.send_metric(name, value, now_s, self.source, self.tags)
        elif isinstance(metric, WavefrontSdkDeltaCounter):
            change = metric.count()
            if change > 0:
                delta_name = get_delta_name("", name, "count")
                sender.send_delta_counter(delta_name, change, self.source, self.tags)
                metric.dec(change)
        elif isinstance(metric, WavefrontSdkCounter):
            sender.send_metric(f"{name}.count", metric.count(), now_s, self.source, self.tags)
