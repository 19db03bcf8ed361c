"""Data points and events in the service's JSON: no I/O, no clock.

Source:
    The vendor's developer pages, "Send metrics and events".
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.signalfx.field_rules import checked_dimensions, checked_integer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wf_instrument.backends.signalfx.field_rules import LimitCheck

__all__ = ["JsonEncoder", "datapoint_body"]

#: In the order the body has them; a queued point begins with the letter.
_KINDS: Final = {"cumulative_counter": "C", "gauge": "g", "counter": "c"}


class JsonEncoder:
    """Encodes points and events of one client, at once: what the caller changes later stays.

    Args:
        limits: Asked about every name and dimension.
    """

    content_type = "application/json"

    def __init__(self, limits: LimitCheck) -> None:
        self._limits = limits

    def point(self, kind: str, point: Mapping[str, Any], extra: Mapping[str, str]) -> bytes:
        """Return a point with all of its keys, led by the letter of its kind.

        Raises:
            TypeError: The point is no dict, or JSON cannot hold a value of it.
            ValueError: An integer is beyond 64 bits, a float no number, or `dimensions` no dict.
        """
        if not isinstance(point, dict):
            raise TypeError(f"a point is a {type(point).__name__}; give a dict")
        value = point.get("value")
        if isinstance(value, int) and not isinstance(value, bool):
            checked_integer(value)
        if extra:
            own = point.get("dimensions")
            point = {**point, "dimensions": {**checked_dimensions(own or {}), **extra}}
        self._check(point)
        return (_KINDS[kind] + _dumped(point)).encode()

    def event(
        self,
        event_type: str,
        category: str | None,
        dimensions: Mapping[str, str],
        properties: Mapping[str, Any],
        timestamp: int | None,
    ) -> bytes:
        """Return the body of one event.

        Raises:
            TypeError: JSON cannot hold a value.
            ValueError: A float is no number.
        """
        event = {
            "eventType": event_type,
            "category": category,
            "dimensions": dict(dimensions),
            "properties": dict(properties),
            "timestamp": timestamp,
        }
        return _dumped([event]).encode()

    def _check(self, point: Mapping[str, Any]) -> None:
        name, dimensions = point.get("metric"), point.get("dimensions")
        if isinstance(name, str):
            self._limits.metric(name)
        if isinstance(dimensions, dict):
            self._limits.count(len(dimensions))
            for key, value in dimensions.items():
                self._limits.dimension(str(key), str(value))


def datapoint_body(points: Iterable[str]) -> bytes:
    """Return the body of points as `JsonEncoder.point` made them: `{"gauge": [...], ...}`."""
    by_letter: dict[str, list[str]] = {letter: [] for letter in _KINDS.values()}
    for point in points:
        by_letter[point[0]].append(point[1:])
    kinds = [
        f'"{kind}": [{", ".join(by_letter[letter])}]'
        for kind, letter in _KINDS.items()
        if by_letter[letter]
    ]
    return f"{{{', '.join(kinds)}}}".encode()


def _dumped(value: object) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError as exc:
        if _has_nan(value):
            raise ValueError("NaN and infinity have no JSON; leave the point out") from exc
        raise


def _has_nan(value: object) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(_has_nan(one) for one in value.values())
    return isinstance(value, (list, tuple)) and any(_has_nan(one) for one in value)
