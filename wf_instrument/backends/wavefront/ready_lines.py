"""Lines of series whose texts are ready: only the figures are written. No I/O, no clock.

Source:
    Wavefront data format.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from wf_instrument.metrics.wavefront_histogram import MAX_CENTROIDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wf_instrument.backends.wavefront.wire_series import WireSeries
    from wf_instrument.metrics.histogram import ExponentialHistogram

__all__ = ["delta_line", "distribution_lines", "point_line"]

_LARGEST: Final = sys.float_info.max


def point_line(series: WireSeries, value: float, at_s: int) -> str | None:
    """Return the line of a point; None when the client has to look at it."""
    parts = series.parts
    if parts is None or not _is_plain(value):
        return None
    return f"{parts[0]} {float(value)!r} {at_s}{parts[1]}"


def delta_line(series: WireSeries, change: float) -> str | None:
    """Return the line of a delta counter, above 0; None when the client has to look at it."""
    parts = series.parts
    if parts is None or not _is_plain(change):
        return None
    return f"{parts[0]} {float(change)!r}{parts[1]}"


def distribution_lines(
    series: WireSeries, histogram: ExponentialHistogram, granularities: Sequence[str], minute_s: int
) -> str | None:
    """Return the lines of a distribution; None when the client has to look at it.

    A mean has 12 digits: nanoseconds of a quarter of an hour, bytes of a terabyte.
    """
    parts, factor = series.parts, series.factor
    if parts is None or not histogram.count:
        return None
    # What lies between two that fit does too.
    if not (_is_plain(histogram.min * factor) and _is_plain(histogram.max * factor)):
        return None
    # One operator writes all pairs: a text of each takes twice as long.
    values = histogram.single_values()
    if values is not None:
        pairs = (" #1 %.12g" * len(values)) % tuple([value * factor for value in values])
    else:
        centroids = histogram.centroids(MAX_CENTROIDS)
        figures = [figure for mean, count in centroids for figure in (count, mean * factor)]
        pairs = (" #%d %.12g" * len(centroids)) % tuple(figures)
    rest = f" {minute_s}{pairs} {parts[0]}{parts[1]}"
    return "".join([granularity + rest for granularity in granularities])


def _is_plain(value: float) -> bool:
    return type(value) in (int, float) and -_LARGEST <= value <= _LARGEST
