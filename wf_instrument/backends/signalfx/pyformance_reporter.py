"""Reports pyformance registries to SignalFx.

Threads: the loop's, if `start` is called; otherwise the caller's.
Locks: `_lock` guards the loop's thread; nothing is reported while it is held.
Fork: the child has no loop, until it calls `start`.
Loss: what the ingest client's full queue refuses is counted there. A value that cannot be sent is
    left out and told; the others go.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.signalfx.constants import DEFAULT_INGEST_ENDPOINT
from wf_instrument.backends.signalfx.ingest_client import STOP_TIMEOUT_S, IngestClient
from wf_instrument.backends.signalfx.ingest_client import (
    ProtoBufSignalFxIngestClient as _ProtobufClient,
)
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import caught, guard
from wf_instrument.metrics.pyformance_shim import Reporter, global_registry
from wf_instrument.metrics.tagged_registry import decode_key
from wf_instrument.reporting.registry_feed import metrics_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wf_instrument.metrics.pyformance_shim import MetricsRegistry

__all__ = ["SignalFxReporter"]

_KINDS: Final = ("counters", "histograms", "meters", "timers", "gauges")


class SignalFxReporter(Reporter):
    """Reports a registry, at once and then every interval.

    A `count` is sent as a cumulative counter of the plain name, a gauge's `value` as a gauge of it,
    every other value as a gauge `NAME.KEY`. A counter that a program decrements is sent so too: the
    service takes its fall for a new start.

    Args:
        token: Organisation (access) token.
        ingest_endpoint: The service, or a gateway.
        registry: What is reported, any of pyformance; its global registry when None.
        reporting_interval: Seconds.
        default_dimensions: Of everything, over a metric's own.
        client: Sends, in place of one of `token` and `ingest_endpoint`.

    Attributes:
        client: The ingest client.

    Raises:
        TypeError: `default_dimensions` is no dict.
    """

    def __init__(
        self,
        token: str,
        ingest_endpoint: str = DEFAULT_INGEST_ENDPOINT,
        registry: MetricsRegistry | None = None,
        reporting_interval: float = 1,
        default_dimensions: Mapping[str, str] | None = None,
        *,
        clock: Any = None,
        client: IngestClient | None = None,
    ) -> None:
        if default_dimensions is not None and not isinstance(default_dimensions, dict):
            raise TypeError(
                f"default_dimensions is a {type(default_dimensions).__name__}; give a dict"
            )
        super().__init__(
            global_registry() if registry is None else registry, reporting_interval, clock
        )
        self.default_dimensions = dict(default_dimensions or {})
        self.client = client if client is not None else _ProtobufClient(token, ingest_endpoint)
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._loop_thread: threading.Thread | None = None

    def create_thread(self) -> None:
        """Make no thread yet, as pyformance would: `start` does."""

    def start(self) -> bool:
        """Begin to report; False when it did already. May be called again after `stop`."""
        with self._lock:
            if self._loop_thread is not None and self._loop_thread.is_alive():
                return False
            self._stopped = stopped = threading.Event()
            self._loop_thread = threading.Thread(
                target=self._run,
                args=(stopped,),
                name="pyformance reporter SignalFxReporter",
                daemon=True,
            )
            self._loop_thread.start()
            return True

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End the loop, report once more, and stop the client, within `timeout_s`."""
        with self._lock:
            thread, self._loop_thread = self._loop_thread, None
            self._stopped.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)
        if thread is not None:
            with guard("signalfx.pyformance"):
                self.report_now()
        self.client.stop(timeout_s=timeout_s)

    def report_now(
        self, registry: MetricsRegistry | None = None, timestamp: float | None = None
    ) -> None:
        """Queue the values of a registry.

        Args:
            registry: Another one than the reporter's.
            timestamp: Unix time in seconds; the clock's when None.
        """
        chosen = registry if registry is not None else self.registry
        at_ms = int(self.clock.time() if timestamp is None else timestamp) * 1000
        points = []
        keys = {key: None for kind in _KINDS for key, _ in _metrics(chosen, kind)}
        for key in keys:
            try:
                points += self._points(chosen, key, at_ms)
            except Exception as error:  # noqa: BLE001 - one metric must not cost the others
                caught("signalfx.pyformance", error)
        if points:
            self.client.put_encoded(points)

    def _points(self, registry: MetricsRegistry, key: str, at_ms: int) -> list[tuple[str, bytes]]:
        name, dimensions = _named(registry, key)
        dimensions = {**dimensions, **self.default_dimensions}
        values = registry.get_metrics(key)
        is_empty = values.get("count") == 0
        found = []
        for part, value in values.items():
            # An empty histogram's extremes are those of its type, an unset gauge is no number.
            is_extreme = is_empty and part in ("max", "min")
            if is_extreme or not _is_number(value):
                continue
            kind = "cumulative_counter" if part == "count" else "gauge"
            metric = name if part in ("count", "value") else f"{name}.{part}"
            point = {"metric": metric, "value": value, "timestamp": at_ms, "dimensions": dimensions}
            found.append(self.client.encode(kind, point))
        return found

    def _run(self, stopped: threading.Event) -> None:
        while True:
            try:
                self.report_now()
            except Exception as error:  # noqa: BLE001 - the loop must outlive any failure
                caught("signalfx.pyformance", error)
            if stopped.wait(self.reporting_interval):
                return


def _metrics(registry: MetricsRegistry, kind: str) -> list[tuple[str, object]]:
    return list(metrics_of(registry, kind))


def _named(registry: MetricsRegistry, key: str) -> tuple[str, dict[str, str]]:
    """Return the name and dimensions behind a key of any registry."""
    metadata = getattr(registry, "metadata", None)
    found = metadata.get_metadata(key) if metadata is not None else {}
    if found:
        return found["metric"], found["dimensions"]
    return decode_key(key)


def _is_number(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
