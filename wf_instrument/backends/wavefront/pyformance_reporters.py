"""Reporters of pyformance registries to Wavefront, as the Wavefront pyformance SDK has them.

Threads: pyformance's loop thread, if `start` is called; otherwise the caller's.
Locks: `_reporting` makes reports follow one another.
Fork: the child has no loop, as pyformance's; what it owes the parent sends.
Loss: deltas and distributions that a full client refuses go with the next report, distributions up
    to `_MAX_OWED`; a cumulative value says it all the next time. What cannot be a line is counted.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from wf_instrument._version import __version__
from wf_instrument.backends.wavefront.client import WavefrontClient
from wf_instrument.backends.wavefront.histogram_granularity import DAY, HOUR, MINUTE
from wf_instrument.backends.wavefront.request_reporter import WavefrontPipelineReporter
from wf_instrument.backends.wavefront.version_value import get_sem_ver_value
from wf_instrument.errors import ConfigError, QueueFullError
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import caught, guard
from wf_instrument.metrics.pyformance_shim import MetricsRegistry, global_registry
from wf_instrument.metrics.runtime import RuntimeCollector
from wf_instrument.metrics.wavefront_histogram import MAX_CENTROIDS
from wf_instrument.reporting.registry_loop import LoopingReporter
from wf_instrument.reporting.registry_producer import RegistryProducer
from wf_instrument.tracing.tag_values import is_blank

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

    from wf_instrument.identity import Identity
    from wf_instrument.reporting.snapshot import MinuteDistribution, Point, Tags

__all__ = ["WavefrontDirectReporter", "WavefrontProxyReporter", "WavefrontReporter"]

_MAX_OWED: Final = 10_000


class WavefrontReporter(LoopingReporter):
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

    caught_as = "wavefront.pyformance"
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
        self._own = RegistryProducer(self.registry)
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._reporting = threading.Lock()
        self._owed_deltas: dict[tuple[str, Tags], float] = {}
        self._owed_rows: deque[MinuteDistribution] = deque(maxlen=_MAX_OWED)

    @property
    def skipped(self) -> int:
        """How many values of its registry were NaN, infinite or no number, and so not sent."""
        return self._own.skipped

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
            with guard(self.caught_as):
                self._report(self.registry, None, current_minute=True)
        if self._runtime is not None:
            self._runtime.close()
        self.wavefront_client.close()

    def as_pipeline_reporter(self, identity: Identity) -> WavefrontPipelineReporter:
        """Return a reporter of the pipeline with this one's client and granularities.

        From now on the pipeline reports the registry; this reporter's own reports would send what
        it gets a second time, and so get nothing of deltas and distributions any more.
        """
        self._own.close()
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
        with self._reporting:
            self._own.prefix = self.prefix
            draft = self._own.draft_of(registry, current_minute=current_minute)
            self._send_points(draft.points, at_s)
            self._send_distributions(draft.distributions)

    def _send_points(self, points: list[Point], at_s: int) -> None:
        """Caller holds `_reporting`."""
        deltas, self._owed_deltas = self._owed_deltas, {}
        send = self.wavefront_client.send_metric
        for point in points:
            if point.kind == "delta":
                key = (point.name, point.tags)
                deltas[key] = deltas.get(key, 0.0) + point.value
            else:
                self._send(
                    send, point.name, point.value, at_s, self.source, self._with_own(point.tags)
                )
        for (name, tags), change in deltas.items():
            send_delta = self.wavefront_client.send_delta_counter
            if not self._send(send_delta, name, change, self.source, self._with_own(tags)):
                self._owed_deltas[name, tags] = change

    def _send_distributions(self, rows: list[MinuteDistribution]) -> None:
        """Caller holds `_reporting`."""
        owed = list(self._owed_rows)
        self._owed_rows.clear()
        granularities = self.histogram_granularity or {MINUTE}
        for row in (*owed, *rows):
            pairs = row.histogram.centroids(MAX_CENTROIDS)
            if not self._send(
                self.wavefront_client.send_distribution,
                row.name,
                pairs,
                granularities,
                row.minute_s,
                self.source,
                self._with_own(row.tags),
            ):
                self._owed_rows.append(row)

    def _with_own(self, tags: Tags) -> dict[str, str]:
        # A blank tag, such as an unset variable, would make every line invalid.
        own = {key: value for key, value in self.tags.items() if not is_blank(value)}
        return {**own, **dict(tags)}

    @staticmethod
    def _send(send: Callable[..., None], *arguments: object) -> bool:
        """Return False when the datum was refused for now, and may be sent again."""
        try:
            send(*arguments)
        except QueueFullError:
            return False  # counted and logged by the client
        except Exception as error:  # noqa: BLE001 - one datum must not cost the others
            caught("wavefront.line", error)
        return True


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
