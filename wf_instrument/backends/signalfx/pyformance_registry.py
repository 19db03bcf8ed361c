"""pyformance registries whose metrics have dimensions.

Threads: any; making a metric takes `_making`, and finding one that has none.
Fork: the child gets a new lock.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

from wf_instrument.forking import reset_after_fork
from wf_instrument.metrics.pyformance_shim import (
    Counter,
    Gauge,
    Histogram,
    Meter,
    MetricsRegistry,
    Timer,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DimensionedRegistry", "MetricMetadata", "RegexRegistry"]

_Metric = TypeVar("_Metric")
_NOTHING: Final = re.compile(r"^$")


class MetricMetadata:
    """Which metric and dimensions stand behind a key of a registry."""

    def __init__(self) -> None:
        self._metadata: dict[str, dict[str, Any]] = {}

    def register(self, key: str, **dims: object) -> str:
        """Return the composite key of a metric: `k=v` of each dimension, then its name, by dots.

        One that already stands for another metric gets a number behind it.
        """
        texts = {name: str(value) for name, value in sorted(dims.items())}
        composite = ".".join([*(f"{name}={value}" for name, value in texts.items()), key])
        found = {"metric": key, "dimensions": texts}
        unique, number = composite, 1
        while self._metadata.setdefault(unique, found) != found:
            number += 1
            unique = f"{composite}~{number}"
        return unique

    def get_metadata(self, composite: str) -> dict[str, Any]:
        """Return `metric` and `dimensions` of a key, or an empty dict."""
        return self._metadata.get(composite, {})

    def clear(self) -> None:
        """Forget all."""
        self._metadata.clear()


class DimensionedRegistry(MetricsRegistry):
    """Makes and finds metrics by key and dimensions; otherwise a pyformance registry.

    Attributes:
        metadata: What stands behind its keys.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.metadata = MetricMetadata()
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._making = threading.RLock()

    def add(self, key: str, metric: object, **dims: object) -> None:
        """Register a metric made elsewhere.

        Raises:
            LookupError: There is one of that kind, key and dimensions.
            TypeError: It is no metric.
        """
        with self._making:
            super().add(self._key(key, dims), metric)

    def counter(self, key: str, **dims: object) -> Counter:
        """Return the counter, made if need be."""
        return self._made(super().counter, key, dims)

    def histogram(self, key: str, **dims: object) -> Histogram:
        """Return the histogram, made if need be."""
        return self._made(super().histogram, key, dims)

    def gauge(
        self, key: str, gauge: Any = None, default: float = float("nan"), **dims: object
    ) -> Gauge:
        """Return the gauge, made if need be; `gauge` is a `Gauge` or a callable."""
        make = super().gauge
        return self._made(lambda name: make(name, gauge, default), key, dims)

    def meter(self, key: str, **dims: object) -> Meter:
        """Return the meter, made if need be."""
        return self._made(super().meter, key, dims)

    def timer(self, key: str, **dims: object) -> Timer:
        """Return the timer, made if need be."""
        return self._made(super().timer, key, dims)

    def clear(self) -> None:
        """Forget all metrics and what stands behind their keys."""
        with self._making:
            super().clear()
            self.metadata.clear()

    def take_over(self, other: MetricsRegistry) -> None:
        """Have the metrics of another registry too, the same objects, those it has apart."""
        with self._making:
            for kind in ("_counters", "_histograms", "_meters", "_timers", "_gauges"):
                mine = getattr(self, kind)
                for key, metric in list(getattr(other, kind).items()):
                    mine.setdefault(key, metric)

    def _key(self, key: str, dims: dict[str, object]) -> str:
        return self.metadata.register(key, **dims)

    def _made(self, make: Callable[[str], _Metric], key: str, dims: dict[str, object]) -> _Metric:
        # Of two threads that make the same metric one would count into a lost object.
        with self._making:
            return make(self._key(key, dims))


class RegexRegistry(DimensionedRegistry):
    r"""Makes one metric of all keys in which a pattern finds the same groups.

    Args:
        pattern: `^/api/(\w+)/\d+/(\w+)?$` maps `/api/users/1/edit` to `users/edit`; a key without
            a match, and without a pattern every key, is the empty one.
        clock: Has `time()`.
    """

    def __init__(self, pattern: str | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pattern = _NOTHING if pattern is None else re.compile(pattern)

    def counter(self, key: str, **dims: object) -> Counter:
        """Return the counter of a key's groups."""
        return super().counter(self._mapped(key), **dims)

    def histogram(self, key: str, **dims: object) -> Histogram:
        """Return the histogram of a key's groups."""
        return super().histogram(self._mapped(key), **dims)

    def gauge(
        self, key: str, gauge: Any = None, default: float = float("nan"), **dims: object
    ) -> Gauge:
        """Return the gauge of a key's groups."""
        return super().gauge(self._mapped(key), gauge, default, **dims)

    def meter(self, key: str, **dims: object) -> Meter:
        """Return the meter of a key's groups."""
        return super().meter(self._mapped(key), **dims)

    def timer(self, key: str, **dims: object) -> Timer:
        """Return the timer of a key's groups."""
        return super().timer(self._mapped(key), **dims)

    def _mapped(self, key: str) -> str:
        found = self.pattern.finditer(key)
        return "/".join(group for match in found for group in match.groups() if group)
