"""A pyformance registry whose metrics have point tags.

Threads: any; making a metric takes `_making`, finding one takes no lock.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from wf_instrument.metrics.pyformance_shim import (
    Counter,
    Gauge,
    Histogram,
    Meter,
    MetricsRegistry,
    Timer,
)

__all__ = ["TaggedRegistry", "decode_key"]

#: Between a key and the JSON of its tags, in the registry's own dictionaries.
#: Source: Wavefront pyformance SDK, `TaggedRegistry.encode_key`.
_SEPARATOR: Final = "-tags="

_Metric = TypeVar("_Metric")
TagMapping = Mapping[str, str]


class TaggedRegistry(MetricsRegistry):
    """Makes and finds metrics by key and tags; otherwise a pyformance registry."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._making = threading.RLock()
        self._encoded: dict[tuple[str, frozenset[tuple[str, str]]], str] = {}

    @staticmethod
    def encode_key(key: str, tags: TagMapping | None = None) -> str:
        """Return the key under which a metric stands: `key-tags={"a": "b"}`, keys sorted."""
        if not tags:
            # A key that looks as if it had tags must not be read as if it had.
            return f"{key}{_SEPARATOR}{{}}" if _SEPARATOR in key else key
        return key + _SEPARATOR + json.dumps(dict(tags), sort_keys=True)

    def counter(self, key: str, tags: TagMapping | None = None) -> Counter:
        """Return the counter, made if need be."""
        return self._get(self._counters, key, tags, super().counter)

    def gauge(
        self,
        key: str,
        gauge: Any = None,
        default: float = float("nan"),
        tags: TagMapping | None = None,
    ) -> Gauge:
        """Return the gauge, made if need be; `gauge` is a `Gauge` or a callable."""
        if isinstance(gauge, Mapping):
            gauge, tags = None, gauge
        make = super().gauge
        return self._get(self._gauges, key, tags, lambda name: make(name, gauge, default))

    def histogram(self, key: str, tags: TagMapping | None = None) -> Histogram:
        """Return the histogram, made if need be."""
        return self._get(self._histograms, key, tags, super().histogram)

    def meter(self, key: str, tags: TagMapping | None = None) -> Meter:
        """Return the meter, made if need be."""
        return self._get(self._meters, key, tags, super().meter)

    def timer(self, key: str, tags: TagMapping | None = None) -> Timer:
        """Return the timer, made if need be."""
        return self._get(self._timers, key, tags, super().timer)

    def add(self, key: str, metric: object, tags: TagMapping | None = None) -> None:
        """Register a metric made elsewhere.

        Raises:
            LookupError: There is one of that kind and key.
            TypeError: It is no metric.
        """
        with self._making:
            super().add(self._encode(key, tags), metric)

    def has_counter(self, key: str, tags: TagMapping | None = None) -> bool:
        """Return whether there is such a counter."""
        return self._encode(key, tags) in self._counters

    def has_gauge(self, key: str, tags: TagMapping | None = None) -> bool:
        """Return whether there is such a gauge."""
        return self._encode(key, tags) in self._gauges

    def has_histogram(self, key: str, tags: TagMapping | None = None) -> bool:
        """Return whether there is such a histogram."""
        return self._encode(key, tags) in self._histograms

    def has_meter(self, key: str, tags: TagMapping | None = None) -> bool:
        """Return whether there is such a meter."""
        return self._encode(key, tags) in self._meters

    def has_timer(self, key: str, tags: TagMapping | None = None) -> bool:
        """Return whether there is such a timer."""
        return self._encode(key, tags) in self._timers

    def _encode(self, key: str, tags: TagMapping | None) -> str:
        """Return `encode_key`, remembered: a look-up must not write JSON each time."""
        if not tags and _SEPARATOR not in key:
            return key
        memory = (key, frozenset(tags.items()) if tags else frozenset())
        encoded = self._encoded.get(memory)
        if encoded is None:
            encoded = self._encoded[memory] = self.encode_key(key, tags)
        return encoded

    def _get(
        self,
        metrics: dict[str, _Metric],
        key: str,
        tags: TagMapping | None,
        make: Callable[[str], _Metric],
    ) -> _Metric:
        encoded = self._encode(key, tags)
        metric = metrics.get(encoded)
        if metric is None:
            # Of two threads that make the same metric one would count into a lost object.
            with self._making:
                metric = make(encoded)
        return metric


def decode_key(encoded: str) -> tuple[str, dict[str, str]]:
    """Return the key and tags of a key of any registry; without tags where there are none."""
    # From the left: the JSON may hold the separator, and a key with it is always followed by JSON.
    at = encoded.find(_SEPARATOR)
    while at >= 0:
        tags = _json_object(encoded[at + len(_SEPARATOR) :])
        if tags is not None:
            return encoded[:at], {str(name): str(value) for name, value in tags.items()}
        at = encoded.find(_SEPARATOR, at + 1)
    return encoded, {}


def _json_object(text: str) -> dict[str, object] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
