"""Reporters of pyformance registries to Wavefront, as the Wavefront pyformance SDK has them.

Threads: pyformance's loop thread, if `start` is called; otherwise the caller's.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from wf_instrument._version import __version__
from wf_instrument.backends.wavefront.client import WavefrontClient
from wf_instrument.backends.wavefront.histogram_granularity import DAY, HOUR, MINUTE
from wf_instrument.backends.wavefront.request_reporter import WavefrontPipelineReporter
from wf_instrument.backends.wavefront.version_value import get_sem_ver_value
from wf_instrument.errors import ConfigError, QueueFullError
from wf_instrument.guard import caught
from wf_instrument.metrics.pyformance_shim import MetricsRegistry, Reporter, global_registry
from wf_instrument.metrics.runtime import RuntimeCollector
from wf_instrument.metrics.wavefront_histogram import MAX_CENTROIDS
from wf_instrument.reporting.registry_producer import RegistryProducer
from wf_instrument.reporting.snapshot import Point, SnapshotDraft

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

    from wf_instrument.identity import Identity

__all__ = ["WavefrontDirectReporter", "WavefrontProxyReporter", "WavefrontReporter"]

_STOP_TIMEOUT_S: Final = 5.0


class WavefrontReporter(Reporter):
    """Reports a registry through the `wavefront_client` that a subclass makes.

    Args:
        source: Who reports.
        registry: What is reported; pyformance's global registry when None.
        reporting_interval: Seconds between two reports of `start`.
        clock: Has `time()`; the module `time` when None.
        prefix: Put in front of every name.
        tags: Point tags of everything; a metric's own win.
        enable_runtime_metrics: Whether CPU, memory and so on of the process are reported too.

    Attributes:
        wavefront_client: The client.
        histogram_granularity: The granularities chosen so far.
    """

    wavefront_client: WavefrontClient

    def __init__(
        self,
        source: str = "wavefront-pyformance",
        registry: MetricsRegistry | None = None,
        reporting_interval: float = 60,
        clock: Any = None,
        prefix: str = "",
        tags: Mapping[str, str] | None = None,
        enable_runtime_metrics: bool = False,
    ) -> None:
        super().__init__(
            global_registry() if registry is None else registry, reporting_interval, clock
        )
        self.source = source
        self.prefix = prefix
        self.tags = dict(tags or {})
        self.histogram_granularity: set[str] = set()
        self._runtime = RuntimeCollector(self.registry) if enable_runtime_metrics else None

    def create_thread(self) -> None:
        """Make the loop's thread, without the deprecated call pyformance makes."""
        self._loop_thread = threading.Thread(
            target=self._loop, name="wf-instrument-pyformance", daemon=True
        )

    def _loop(self) -> None:
        while not self._stopped.wait(self.reporting_interval):
            try:
                self.report_now()
            except Exception as error:  # noqa: BLE001 - the loop must outlive any failure
                caught("wavefront.pyformance", error)

    def report_minute_distribution(self) -> Self:
        """Send histograms by the minute; returns the reporter."""
        self.histogram_granularity.add(MINUTE)
        return self

    def report_hour_distribution(self) -> Self:
        """Send histograms by the hour; returns the reporter."""
        self.histogram_granularity.add(HOUR)
        return self

    def report_day_distribution(self) -> Self:
        """Send histograms by the day; returns the reporter."""
        self.histogram_granularity.add(DAY)
        return self

    def report_now(
        self, registry: MetricsRegistry | None = None, timestamp: float | None = None
    ) -> None:
        """Queue the values of a registry, its Wavefront histograms' past minutes included."""
        self._report(registry or self.registry, timestamp, current_minute=False)

    def stop(self) -> None:
        """Report once more, the current minute included, then close the client."""
        if not self._stopped.is_set():
            super().stop()
            self._report(self.registry, None, current_minute=True)
        if self._runtime is not None:
            self._runtime.close()
        self.wavefront_client.close(_STOP_TIMEOUT_S)

    def as_pipeline_reporter(self, identity: Identity) -> WavefrontPipelineReporter:
        """Return a reporter of the pipeline with this one's client and granularities."""
        return WavefrontPipelineReporter(
            self.wavefront_client, identity, sorted(self.histogram_granularity)
        )

    def report_sdk_version(self, sdk: str) -> None:
        """Have the client tell the version as `~sdk.python.SDK.version`, if it reports on itself.

        Args:
            sdk: `flask` for example.
        """
        # A client of the user's own making may lack the method.
        report = getattr(self.wavefront_client, "report_internally", None)
        if report is not None:
            report(f"{sdk}.version", lambda: float(get_sem_ver_value(__version__)))

    def _report(
        self, registry: MetricsRegistry, timestamp: float | None, *, current_minute: bool
    ) -> None:
        at_s = int(self.clock.time() if timestamp is None else timestamp)
        if self._runtime is not None:
            self._runtime.collect()
        draft = SnapshotDraft()
        RegistryProducer(registry, self.prefix).drain_into(draft, current_minute=current_minute)
        client = self.wavefront_client
        for point in draft.points:
            self._send(self._send_point, point, at_s)
        granularities = self.histogram_granularity or {MINUTE}
        for row in draft.distributions:
            pairs = row.histogram.centroids(MAX_CENTROIDS)
            tags = {**self.tags, **dict(row.tags)}
            self._send(
                client.send_distribution,
                row.name,
                pairs,
                granularities,
                row.minute_s,
                self.source,
                tags,
            )

    def _send_point(self, point: Point, at_s: int) -> None:
        tags = {**self.tags, **dict(point.tags)}
        if point.kind == "delta":
            self.wavefront_client.send_delta_counter(point.name, point.value, self.source, tags)
        else:
            self.wavefront_client.send_metric(point.name, point.value, at_s, self.source, tags)

    @staticmethod
    def _send(send: Callable[..., None], *arguments: object) -> None:
        try:
            send(*arguments)
        except QueueFullError:
            pass  # counted and logged by the client
        except ValueError as error:
            caught("wavefront.line", error)


class WavefrontProxyReporter(WavefrontReporter):
    """Reports a registry to a Wavefront proxy."""

    def __init__(
        self,
        host: str,
        port: int = 2878,
        source: str = "wavefront-pyformance",
        registry: MetricsRegistry | None = None,
        reporting_interval: float = 60,
        clock: Any = None,
        prefix: str = "proxy.",
        tags: Mapping[str, str] | None = None,
        enable_runtime_metrics: bool = False,
        enable_internal_metrics: bool = True,
    ) -> None:
        super().__init__(
            source, registry, reporting_interval, clock, prefix, tags, enable_runtime_metrics
        )
        bracketed = f"[{host}]" if ":" in host else host
        self.wavefront_client = WavefrontClient(
            f"http://{bracketed}:{port}", enable_internal_metrics=enable_internal_metrics
        )
        self.report_sdk_version("pyformance.sender.{kind}")


class WavefrontDirectReporter(WavefrontReporter):
    """Reports a registry straight to a Wavefront cluster.

    Raises:
        ConfigError: (a `ValueError`) `server` is no URL.
    """

    def __init__(
        self,
        server: str,
        token: str,
        source: str = "wavefront-pyformance",
        registry: MetricsRegistry | None = None,
        reporting_interval: float = 60,
        clock: Any = None,
        prefix: str = "direct.",
        tags: Mapping[str, str] | None = None,
        enable_runtime_metrics: bool = False,
        enable_internal_metrics: bool = True,
    ) -> None:
        parts = urlsplit(server)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError(
                f"server is {server.rpartition('@')[2]!r}; give the cluster's URL, https://..."
            )
        super().__init__(
            source, registry, reporting_interval, clock, prefix, tags, enable_runtime_metrics
        )
        self.wavefront_client = WavefrontClient(
            server, token, enable_internal_metrics=enable_internal_metrics
        )
        self.report_sdk_version("pyformance.sender.{kind}")
