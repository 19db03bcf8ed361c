"""A pyformance registry whose metrics have point tags.

Threads: any; making a metric takes `_making`, finding one takes no lock.
Fork: the child gets new locks, those of pyformance's metrics included; cumulative counters go on
    from where the parent's are.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from reprlib import repr as short_repr
from typing import Any, Final, TypeVar

from wf_instrument.forking import reset_after_fork
from wf_instrument.metrics.pyformance_shim import (
    Counter,
    Gauge,
    Histogram,
    Meter,
    MetricsRegistry,
    Timer,
)
from wf_instrument.value_text import as_str, text_of

__all__ = ["TaggedRegistry", "decode_key", "stored_key"]

#: Between a key and the JSON of its tags, in the registry's own dictionaries.
#: Source: Wavefront pyformance SDK, `TaggedRegistry.encode_key`.
_SEPARATOR: Final = "-tags="

_Metric = TypeVar("_Metric")
TagMapping = Mapping[str, str]


class TaggedRegistry(MetricsRegistry):
    """Makes and finds metrics by key and tags; otherwise a pyformance registry."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._encoded: dict[tuple[str, frozenset[tuple[str, str]]], str] = {}
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._making = threading.RLock()
        # Another thread of the parent may have been counting at the fork.
        for metrics in (self._counters, self._histograms, self._meters, self._timers):
            for metric in metrics.values():
                for part in (metric, getattr(metric, "hist", None), getattr(metric, "meter", None)):
                    if part is not None and hasattr(part, "lock"):
                        part.lock = threading.Lock()

    @staticmethod
    def encode_key(key: str, tags: TagMapping | None = None) -> str:
        """Return the key under which a metric stands: `key-tags={"a": "b"}`, keys sorted.

        Tags that JSON cannot hold stand in it as text.
        """
        key = as_str(key)
        if not tags:
            # A key that looks as if it had tags must not be read as if it had.
            return f"{key}{_SEPARATOR}{{}}" if _SEPARATOR in key else key
        return key + _SEPARATOR + _tags_as_json(tags)

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
        if not tags:
            return key if type(key) is str and _SEPARATOR not in key else self.encode_key(key)
        try:
            memory = (key, frozenset(tags.items()))
            encoded = self._encoded.get(memory)
        except Exception:  # noqa: BLE001 - a value that cannot be hashed, for whatever reason
            return self.encode_key(key, tags)
        if encoded is None:
            encoded = self.encode_key(key, tags)
            # Of texts alone: 1 and True are the same key to a dictionary, and differ as tags.
            if all(isinstance(value, str) for value in tags.values()):
                self._encoded[memory] = encoded
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


def stored_key(registry: MetricsRegistry, key: str, tags: TagMapping | None) -> str:
    """Return the key under which a metric with tags stands in any registry, tagged or plain."""
    if isinstance(registry, TaggedRegistry):
        return registry._encode(key, tags)  # noqa: SLF001 - of this module
    return TaggedRegistry.encode_key(key, tags)


def decode_key(encoded: str) -> tuple[str, dict[str, str]]:
    """Return the key and tags of a key of any registry; without tags where there are none."""
    encoded = as_str(encoded)  # plain registries take keys of any type
    # From the left: the JSON may hold the separator, and a key with it is always followed by JSON.
    at = encoded.find(_SEPARATOR)
    while at >= 0:
        tags = _json_object(encoded[at + len(_SEPARATOR) :])
        if tags is not None:
            texts = {name: "" if value is None else str(value) for name, value in tags.items()}
            return encoded[:at], texts
        at = encoded.find(_SEPARATOR, at + 1)
    return encoded, {}


def _tags_as_json(tags: TagMapping) -> str:
    try:
        pairs = dict(tags)
    except (TypeError, ValueError) as exc:
        raise TypeError(f"tags are {short_repr(tags)}; give a mapping of names to values") from exc
    try:
        return json.dumps(pairs, sort_keys=True, default=text_of)
    except Exception:  # noqa: BLE001 - cycles, keys of several types: any value may be a tag
        texts = {text_of(key): text_of(value) for key, value in pairs.items()}
        return json.dumps(texts, sort_keys=True)


def _json_object(text: str) -> dict[str, object] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
