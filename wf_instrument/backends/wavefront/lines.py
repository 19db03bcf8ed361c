"""Metric and histogram lines. No I/O, no clock, no thread.

Source:
    Wavefront data format.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.wavefront.histogram_granularity import DAY, HOUR, MINUTE
from wf_instrument.backends.wavefront.text import is_blank, sanitize, sanitize_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["histogram_to_line_data", "metric_to_line_data", "tags_to_text", "whole"]

_GRANULARITIES: Final = frozenset({MINUTE, HOUR, DAY})


def metric_to_line_data(
    name: str,
    value: float,
    timestamp: int | None,
    source: str | None,
    tags: Mapping[str, str] | None,
    default_source: str,
) -> str:
    """Return the line of one point, its newline included.

    Args:
        name: Metric name.
        value: Any number; written as a float.
        timestamp: Unix time in seconds; None leaves it to the receiver.
        source: Who reports; `default_source` when blank.
        tags: Point tags.
        default_source: In place of a blank source.

    Raises:
        ValueError: Name, a tag's key or its value is blank; the value is no finite number.
    """
    if is_blank(name):
        raise ValueError(f"metric name is {name!r}; it must not be blank")
    number = _finite(name, value)
    when = "" if timestamp is None else f" {whole(name, timestamp)}"
    who = sanitize_value(default_source if is_blank(source) else str(source))
    return f"{sanitize(name)} {number}{when} source={who}{tags_to_text(name, tags)}\n"


def histogram_to_line_data(
    name: str,
    centroids: Sequence[tuple[float, int]],
    histogram_granularities: Iterable[str],
    timestamp: int | None,
    source: str | None,
    tags: Mapping[str, str] | None,
    default_source: str,
) -> str:
    """Return the lines of one distribution, one for each granularity.

    Args:
        name: Histogram name.
        centroids: (mean, count) pairs.
        histogram_granularities: Constants of `histogram_granularity`.
        timestamp: Unix time in seconds; None leaves it to the receiver.
        source: Who reports; `default_source` when blank.
        tags: Point tags.
        default_source: In place of a blank source.

    Raises:
        ValueError: Name, a tag's key or its value is blank; there is no centroid or no
            granularity, or one that is none.
    """
    if is_blank(name):
        raise ValueError(f"histogram name is {name!r}; it must not be blank")
    granularities = sorted(set(histogram_granularities or ()))
    if not granularities:
        raise ValueError(f"histogram {name!r} has no granularity; give MINUTE, HOUR or DAY")
    if not _GRANULARITIES.issuperset(granularities):
        raise ValueError(
            f"histogram {name!r} has the granularities {granularities!r}; give MINUTE, HOUR or DAY"
        )
    if not centroids:
        raise ValueError(f"histogram {name!r} has no centroids; give (mean, count) pairs")
    when = "" if timestamp is None else f" {whole(name, timestamp)}"
    pairs = "".join(
        f" #{_positive(name, count)} {_finite(name, mean)}" for mean, count in centroids
    )
    who = sanitize_value(default_source if is_blank(source) else str(source))
    rest = f"{when}{pairs} {sanitize(name)} source={who}{tags_to_text(name, tags)}\n"
    return "".join(granularity + rest for granularity in granularities)


def tags_to_text(name: str, tags: Mapping[str, str] | None) -> str:
    """Return point tags as they end a line, each led by a space.

    Raises:
        ValueError: A key or a value is blank; `name` says whose.
    """
    if not tags:
        return ""
    parts = []
    for key, value in tags.items():
        if is_blank(key):
            raise ValueError(f"{name!r} has a tag without a key, its value is {value!r}")
        if value is None or is_blank(str(value)):
            raise ValueError(f"tag {key!r} of {name!r} is {value!r}; it must not be blank")
        parts.append(f" {sanitize(key)}={sanitize_value(str(value))}")
    return "".join(parts)


def whole(name: str, number: float) -> int:
    """Return a time or a count as the integer a line holds.

    Raises:
        ValueError: It is none; `name` says whose.
    """
    try:
        return int(number)
    except (TypeError, ValueError, OverflowError) as exc:
        raise ValueError(f"{name!r} has {number!r} where a whole number belongs") from exc


def _positive(name: str, number: int) -> int:
    count = whole(name, number)
    if count < 1:
        raise ValueError(f"{name!r} has a centroid of {count} values; give 1 or more")
    return count


def _finite(name: str, number: float) -> float:
    try:
        value = float(number)
    except (TypeError, ValueError, OverflowError) as exc:
        raise ValueError(f"{name!r} has the value {number!r}; give a number") from exc
    if not math.isfinite(value):
        raise ValueError(f"{name!r} has the value {value}; give a finite number")
    return value
