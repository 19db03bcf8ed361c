"""Shares out what a registry hands out once: the changes of delta counters, histograms' minutes.

Every reader of a registry has a feed. Whoever reads first takes from the registry for all of them,
so that two reporters on one registry do not steal from each other.

Threads: any.
Locks: `_making` guards the table of hubs, one for each registry; a hub's `_lock` guards all feeds
    of that registry, and is held while it takes, which calls no code of the application.
Fork: the child starts with nothing to share out and new locks.
Loss: of minutes that a reader has not asked for, the ten newest of each histogram are kept; NaN and
    infinite values, and minutes beyond, are counted in the feed's `skipped`.
"""

from __future__ import annotations

import math
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import caught
from wf_instrument.metrics.delta_counter import DeltaCounter
from wf_instrument.metrics.wavefront_histogram import MAX_PAST_BINS, WavefrontHistogram

if TYPE_CHECKING:
    from wf_instrument.metrics.histogram import ExponentialHistogram
    from wf_instrument.metrics.pyformance_shim import MetricsRegistry

__all__ = ["RegistryFeed", "metrics_of"]


class RegistryFeed:
    """What one reader has yet to get of a registry; from the moment the feed is made.

    Args:
        registry: The registry.

    Attributes:
        skipped: How many values, or minutes nobody asked for, cannot be handed out.
    """

    def __init__(self, registry: MetricsRegistry) -> None:
        self.skipped = 0
        self._registry = registry
        self._changes: dict[str, float] = {}
        self._bins: dict[str, dict[int, ExponentialHistogram]] = {}
        self._hub = _hubs.of(registry)
        self._hub.add(self)

    def take(
        self, *, current_minute: bool
    ) -> tuple[list[tuple[str, float]], list[tuple[str, int, ExponentialHistogram]]]:
        """Return changes by key, and histograms by key and minute; each once.

        The histograms are shared with other readers and must not be changed.

        Args:
            current_minute: Whether the minute that is not over is handed out too.
        """
        return self._hub.take(self._registry, self, current_minute=current_minute)

    def close(self) -> None:
        """Get nothing more; others of the registry's readers go on."""
        self._hub.remove(self)

    def put(self, key: str, change: float) -> None:
        """Keep a change. Caller holds the hub's `_lock`, here as below."""
        if math.isfinite(change):
            self._changes[key] = self._changes.get(key, 0.0) + change
        else:
            self.skipped += 1

    def put_minute(self, key: str, minute_s: int, values: ExponentialHistogram) -> None:
        """Keep the values of a minute, or of a part of it."""
        self.skipped += values.rejected
        if not values.count:
            return
        minutes = self._bins.setdefault(key, {})
        known = minutes.get(minute_s)
        if known is None:
            minutes[minute_s] = values
        else:
            minutes[minute_s] = merged = known.copy()
            merged.merge(values)
        # One more than the past minutes: the current one, when another reader asked for it.
        while len(minutes) > MAX_PAST_BINS + 1:
            del minutes[min(minutes)]
            self.skipped += 1

    def take_kept(
        self, open_minutes: dict[str, int]
    ) -> tuple[list[tuple[str, float]], list[tuple[str, int, ExponentialHistogram]]]:
        """Return and forget what was kept, except minutes from `open_minutes` on, by key."""
        changes, self._changes = list(self._changes.items()), {}
        taken: list[tuple[str, int, ExponentialHistogram]] = []
        for key, minutes in list(self._bins.items()):
            before_s = open_minutes.get(key, math.inf)
            taken += [(key, one, minutes.pop(one)) for one in sorted(minutes) if one < before_s]
            if not minutes:
                del self._bins[key]
        return changes, taken

    def forget(self) -> None:
        """Forget what was kept."""
        self._changes.clear()
        self._bins.clear()


class _Hub:
    """Takes from one registry for all of its feeds."""

    def __init__(self) -> None:
        self._feeds: weakref.WeakSet[RegistryFeed] = weakref.WeakSet()
        self._lock = threading.Lock()
        reset_after_fork(self._in_child)

    def _in_child(self) -> None:
        self._lock = threading.Lock()
        for feed in list(self._feeds):
            feed.forget()

    def add(self, feed: RegistryFeed) -> None:
        with self._lock:
            self._feeds.add(feed)

    def remove(self, feed: RegistryFeed) -> None:
        with self._lock:
            self._feeds.discard(feed)
            feed.forget()

    def take(
        self, registry: MetricsRegistry, reader: RegistryFeed, *, current_minute: bool
    ) -> tuple[list[tuple[str, float]], list[tuple[str, int, ExponentialHistogram]]]:
        open_minutes: dict[str, int] = {}
        with self._lock:
            feeds = list(self._feeds)
            for key, metric in (
                *metrics_of(registry, "counters"), *metrics_of(registry, "histograms"),
            ):  # fmt: skip
                try:
                    if isinstance(metric, DeltaCounter):
                        change = metric.take()
                        for feed in feeds if change else ():
                            feed.put(key, change)
                    elif isinstance(metric, WavefrontHistogram):
                        if not current_minute:
                            open_minutes[key] = metric.current_minute()
                        bins = metric.take_all_bins() if current_minute else metric.take_past_bins()
                        for minute_s, values in bins:
                            for feed in feeds:
                                feed.put_minute(key, minute_s, values)
                except Exception as error:  # noqa: BLE001 - one metric must not cost the others
                    caught("registry", error)
            return reader.take_kept(open_minutes)


class _Hubs:
    """The hub of each registry, as long as the registry lives."""

    def __init__(self) -> None:
        self._hubs: weakref.WeakKeyDictionary[MetricsRegistry, _Hub] = weakref.WeakKeyDictionary()
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._making = threading.Lock()

    def of(self, registry: MetricsRegistry) -> _Hub:
        with self._making:
            hub = self._hubs.get(registry)
            if hub is None:
                hub = self._hubs[registry] = _Hub()
            return hub


_hubs: Final = _Hubs()


def metrics_of(registry: MetricsRegistry, kind: str) -> list[tuple[str, Any]]:
    """Return a registry's `counters`, `gauges`, `meters`, `timers` or `histograms`, by key."""
    # pyformance gives no metric objects otherwise. A copy in one C call: other threads add metrics.
    return list(getattr(registry, f"_{kind}").items())
