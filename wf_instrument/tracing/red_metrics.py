"""Rate, errors and durations by operation, derived from every finished span, sampled or not.

Source:
    Wavefront OpenTracing SDK, "derived RED metrics": `tracing.derived.*`.

Threads: any thread records, by one atomic append; who drains, or has the buffer full, folds under
    `_lock`.
Fork: the child starts with nothing: the parent reports what was recorded before.
Loss: none; series beyond `MAX_SERIES` share one of operation `_OVERFLOW_`.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import caught
from wf_instrument.metrics.histogram import ExponentialHistogram
from wf_instrument.tracing.tag_values import is_true
from wf_instrument.value_text import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wf_instrument.identity import ApplicationTags
    from wf_instrument.tracing.span import WavefrontSpan

__all__ = ["RED_COMPONENTS", "RedCount", "RedDurations", "RedMetrics"]

Tags = tuple[tuple[str, str], ...]

PREFIX: Final = "tracing.derived"
#: Source: Wavefront OpenTracing SDK, heartbeat components.
RED_COMPONENTS: Final = ("wavefront-generated", "opentracing", "python")
MAX_SERIES: Final = 10_000
_FOLD_AFTER: Final = 5_000
_OVERFLOW: Final = "_OVERFLOW_"
_SPACE: Final = re.compile(r"\s")
_LEVELS: Final[tuple[str, ...]] = ("application", "service", "cluster", "shard")
#: Tags with a value even when a span has none.
_NONE: Final = "none"


class RedCount(NamedTuple):
    """The change of a delta counter. `name` is complete, without the delta."""

    name: str
    value: int
    tags: Tags


class RedDurations(NamedTuple):
    """Durations of one minute in microseconds; `minute_s` is Unix time of its start."""

    name: str
    minute_s: int
    histogram: ExponentialHistogram
    tags: Tags


@dataclass(slots=True)
class _Series:
    """What spans of one operation and one set of tags add up to."""

    name: str
    tags: Tags
    count: int = 0
    errors: int = 0
    total_ms: int = 0
    #: Microseconds, by minute and whether they are of failed spans.
    durations: dict[tuple[int, bool], ExponentialHistogram] = field(default_factory=dict)


#: Durations not yet in their histogram, by series (its `id`), minute and whether they failed.
_Fresh = dict[tuple[int, int, bool], tuple[_Series, list[float]]]


class RedMetrics:
    """Adds spans up.

    Args:
        application_tags: Of the spans; a span's own value wins.
        custom_tag_keys: Further tags of spans that tell series apart.
        base_tags: Tags that every span has unless its own say otherwise.

    Attributes:
        overflowed: Spans that were counted under `_OVERFLOW_`.
    """

    def __init__(
        self,
        application_tags: ApplicationTags | None,
        custom_tag_keys: Iterable[str] = (),
        base_tags: Iterable[tuple[str, object]] = (),
    ) -> None:
        pairs = [] if application_tags is None else application_tags.get_as_list()
        known = dict(reversed(pairs))  # of a key that stands twice, the first
        self._levels = {key: known[key] for key in _LEVELS if key in known}
        self._custom = tuple(dict.fromkeys(custom_tag_keys))
        self._read = frozenset((*_LEVELS, "component", "span.kind", "http.status_code", "error"))
        self._read |= frozenset(self._custom)
        self._base = {**self._levels, "component": _NONE, "span.kind": _NONE}
        for key, value in base_tags:
            if key in self._read and key not in self._levels and (text := text_of(value)):
                self._base[key] = text
        self.overflowed = 0
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._raw: list[WavefrontSpan] = []
        self._series: dict[tuple[str, Tags], _Series] = {}
        # Of spans without a tag that matters, by operation as it was given.
        self._plain: dict[str, _Series] = {}
        self._lock = threading.Lock()

    def record(self, span: WavefrontSpan) -> None:
        """Take a span that has ended."""
        raw = self._raw
        raw.append(span)
        # One thread folds; the others need not wait for it.
        if len(raw) >= _FOLD_AFTER and self._lock.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._lock.release()

    def drain(self, *, current_minute: bool = True) -> tuple[list[RedCount], list[RedDurations]]:
        """Return what was recorded since the last time.

        Args:
            current_minute: Whether durations of the minute that is not over are handed out too.
        """
        counts: list[RedCount] = []
        durations: list[RedDurations] = []
        with self._lock:
            self._fold()
            newest = max(
                (minute for one in self._series.values() for minute, _ in one.durations), default=0
            )
            for one in self._series.values():
                counts += _take_counts(one)
                for minute, is_error in sorted(one.durations):
                    if current_minute or minute < newest:
                        durations.append(_take_durations(one, minute, is_error))
        return counts, durations

    def _fold(self) -> None:
        """Caller holds `_lock`."""
        raw = self._raw
        n = len(raw)
        part = raw[:n]
        # Never the list itself is replaced: another thread may be appending to it.
        del raw[:n]
        fresh: _Fresh = {}
        for span in part:
            try:
                self._add(span, fresh)
            except Exception as error:  # noqa: BLE001 - tags are the application's
                caught("tracing.red_metrics", error)
        for (_, minute, is_error), (series, values) in fresh.items():
            histogram = series.durations.setdefault((minute, is_error), ExponentialHistogram())
            histogram.add_many(values)

    def _add(self, span: WavefrontSpan, fresh: _Fresh) -> None:
        own = [pair for pair in span.own_tags() if pair[0] in self._read]
        series = None if own else self._plain.get(span.operation_name)
        is_error = False
        if series is None:
            tags = self._tags_of(own)
            is_error = is_true(tags.pop("error", None))
            series = self._series_of(text_of(span.operation_name), tags)
            if not own and len(self._plain) < MAX_SERIES:
                self._plain[span.operation_name] = series
        duration_ns = span.duration_ns
        series.count += 1
        series.errors += is_error
        series.total_ms += duration_ns // 1_000_000
        key = (id(series), (span.start_ns + duration_ns) // 60_000_000_000 * 60, is_error)
        known = fresh.get(key)
        if known is None:
            known = fresh[key] = (series, [])
        known[1].append(duration_ns / 1e3)

    def _tags_of(self, own: list[tuple[str, object]]) -> dict[str, str]:
        """Return the tags of a series; of a span's own the last value of each wins."""
        found: dict[str, str] = dict(self._base)
        for key, value in own:
            if text := text_of(value):
                found[key] = text
        return found

    def _series_of(self, operation: str, tags: dict[str, str]) -> _Series:
        tags["operationName"] = operation or "unnamed"
        key = (operation, tuple(tags.items()))
        series = self._series.get(key)
        if series is not None:
            return series
        if len(self._series) >= MAX_SERIES and operation != _OVERFLOW:
            self.overflowed += 1
            few: dict[str, str] = {key: tags[key] for key in _LEVELS if key in tags}
            few["component"] = few["span.kind"] = _NONE
            return self._series_of(_OVERFLOW, few)
        parts = [PREFIX, tags.get("application", _NONE), tags.get("service", _NONE)]
        name = _SPACE.sub("-", ".".join([*parts, operation or "unnamed"]))
        series = self._series[key] = _Series(name, key[1])
        return series


def _take_counts(series: _Series) -> list[RedCount]:
    taken = [
        RedCount(f"{series.name}.{suffix}", value, series.tags)
        for suffix, value in (
            ("invocation.count", series.count),
            ("error.count", series.errors),
            ("total_time.millis.count", series.total_ms),
        )
        if value
    ]
    series.count = series.errors = series.total_ms = 0
    return taken


def _take_durations(series: _Series, minute: int, is_error: bool) -> RedDurations:
    histogram = series.durations.pop((minute, is_error))
    tags = (*series.tags, ("error", "true")) if is_error else series.tags
    return RedDurations(f"{series.name}.duration.micros", minute, histogram, tags)
