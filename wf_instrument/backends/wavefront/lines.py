"""Metric and histogram lines. No I/O, no clock, no thread.

Source:
    Wavefront data format.
"""

from __future__ import annotations

import sys
from reprlib import repr as short_repr
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.wavefront.histogram_granularity import DAY, HOUR, MINUTE
from wf_instrument.backends.wavefront.texts import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wf_instrument.backends.wavefront.texts import Texts

__all__ = ["histogram_to_line_data", "is_change", "metric_to_line_data", "whole"]

_GRANULARITIES: Final = frozenset({MINUTE, HOUR, DAY})
_LARGEST: Final = sys.float_info.max


def metric_to_line_data(
    name: str,
    value: float,
    timestamp: int | None,
    source: str | None,
    tags: Mapping[str, str] | None,
    default_source: str = "",
    texts: Texts = PLAIN,
) -> str:
    """Return the line of one point, its newline included.

    Args:
        name: Metric name.
        value: Any number; written as a float.
        timestamp: Unix time in seconds; None leaves it to the receiver.
        source: Who reports; `default_source` when blank.
        tags: Point tags.
        default_source: In place of a blank source.
        texts: Makes the texts, and holds them against limits.

    Raises:
        ValueError: Name, a tag's key or its value is blank, or beyond a strict limit; the value
            is no finite number.
    """
    # The tables are looked up here: this is the way of every point.
    quoted = texts.metric_names.get(name) if type(name) is str else None
    if quoted is None:
        quoted = texts.metric_name(name)
    number = value if type(value) is float else _number(name, value)
    if not -_LARGEST <= number <= _LARGEST:
        raise ValueError(f"{name!r} has the value {number}; give a finite number")
    who = texts.sources.get(source) if type(source) is str else None
    if who is None:
        who = texts.source(source, default_source)
    rest = texts.tags(name, tags) if tags else ""
    if timestamp is None:
        return f"{quoted} {number!r} source={who}{rest}\n"
    when = timestamp if type(timestamp) is int else whole(name, timestamp)
    return f"{quoted} {number!r} {when} source={who}{rest}\n"


def histogram_to_line_data(
    name: str,
    centroids: Sequence[tuple[float, int]],
    histogram_granularities: Iterable[str],
    timestamp: int | None,
    source: str | None,
    tags: Mapping[str, str] | None,
    default_source: str = "",
    texts: Texts = PLAIN,
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
        texts: Makes the texts, and holds them against limits.

    Raises:
        ValueError: Name, a tag's key or its value is blank, or beyond a strict limit; there is no
            centroid or no granularity, or one that is none.
    """
    quoted = texts.histogram_name(name)
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
    who = texts.source(source, default_source)
    rest = f"{when}{pairs} {quoted} source={who}{texts.tags(name, tags) if tags else ''}\n"
    return "".join(granularity + rest for granularity in granularities)


def is_change(value: object) -> bool:
    """Return whether a delta counter's change is sent: unless it is a number of 0 or below.

    What is no number, NaN too, is not ignored but left to be refused.
    """
    try:
        return not value <= 0  # type: ignore[operator]  # what is no number raises
    except Exception:  # noqa: BLE001 - whatever a value raises when compared
        return True


def whole(name: str, number: float) -> int:
    """Return a time or a count as the integer a line holds.

    Raises:
        ValueError: It is none; `name` says whose.
    """
    try:
        return int(number)
    except Exception as exc:
        raise ValueError(f"{name!r} has {short_repr(number)} where a whole number belongs") from exc


def _positive(name: str, number: int) -> int:
    count = whole(name, number)
    if count < 1:
        raise ValueError(f"{name!r} has a centroid of {count} values; give 1 or more")
    return count


def _finite(name: str, number: float) -> float:
    value = _number(name, number)
    if not -_LARGEST <= value <= _LARGEST:
        raise ValueError(f"{name!r} has the value {value}; give a finite number")
    return value


def _number(name: str, number: float) -> float:
    try:
        return float(number)
    except Exception as exc:
        raise ValueError(f"{name!r} has the value {short_repr(number)}; give a number") from exc
