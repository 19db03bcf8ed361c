"""What one period brought, added up by series, as the texts of tagged measurements; no I/O.

Threads: one.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.librato.wire_names import metric_name, wire_tags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.backends.librato.json_text import JsonObject
    from wf_instrument.metrics.histogram import ExponentialHistogram
    from wf_instrument.reporting.snapshot import Tags

__all__ = ["MeasurementTable"]

_PERCENTILES: Final = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
#: Source: Librato API reference, "Measurement restrictions": a larger number is refused.
_LARGEST: Final = 1e126

_Series = tuple[str, "Tags"]


class MeasurementTable:
    """Adds up; two names or tags that meet on the wire are one series.

    Args:
        tags: Of every series, in front of its own.

    Attributes:
        skipped: How many values the service would not take: not finite, or too large.
    """

    def __init__(self, tags: Tags) -> None:
        self.skipped = 0
        self._tags = tags
        self._sums: dict[_Series, float] = {}
        self._values: dict[_Series, float] = {}
        self._histograms: dict[tuple[_Series, int | None], ExponentialHistogram] = {}
        self._with_percentiles: set[_Series] = set()

    def add(self, name: str, tags: Tags, amount: float) -> None:
        """Add an amount to a sum over the period."""
        series = self._series(name, tags)
        self._sums[series] = self._sums.get(series, 0.0) + amount

    def put(self, name: str, tags: Tags, value: float) -> None:
        """Put a value in place of an earlier one."""
        self._values[self._series(name, tags)] = value

    def add_values(
        self,
        name: str,
        tags: Tags,
        values: ExponentialHistogram | None,
        *,
        percentiles: bool = False,
        time_s: int | None = None,
    ) -> None:
        """Add many values, which go as one summary.

        Args:
            name: Of the metric.
            tags: Of the series.
            values: Not changed; None adds nothing.
            percentiles: Whether percentiles go as metrics of their own.
            time_s: Unix time of the summary, where it is not that of the period.
        """
        if values is None or not values.count:
            return
        series = self._series(name, tags)
        if percentiles:
            self._with_percentiles.add(series)
        known = self._histograms.get((series, time_s))
        self._histograms[series, time_s] = copy = values.copy()
        if known is not None:
            copy.merge(known)

    def texts(self, time_s: int, period_s: int) -> Iterator[str]:
        """Yield the measurements as JSON.

        Args:
            time_s: Unix time of the period.
            period_s: Its length.
        """
        common = {"time": time_s, "period": period_s}
        for values in (self._sums, self._values):
            for (name, tags), value in values.items():
                yield from self._text(name, tags, {"value": value, **common})
        for (series, at_s), histogram in self._histograms.items():
            name, tags = series
            common = {"time": time_s if at_s is None else at_s, "period": period_s}
            summary = {
                "count": histogram.count,
                "sum": histogram.sum,
                "min": histogram.min,
                "max": histogram.max,
            }
            yield from self._text(name, tags, {**summary, **common})
            for suffix, share in _PERCENTILES if series in self._with_percentiles else ():
                value = histogram.quantile(share)
                yield from self._text(f"{name}.{suffix}", tags, {"value": value, **common})

    def _series(self, name: str, tags: Tags) -> _Series:
        return metric_name(name), wire_tags((*self._tags, *tags))

    def _text(self, name: str, tags: Tags, fields: JsonObject) -> Iterator[str]:
        if all(math.isfinite(one) and abs(one) < _LARGEST for one in fields.values()):
            yield json.dumps({"name": name, "tags": dict(tags), **fields}, separators=(",", ":"))
        else:
            self.skipped += 1
