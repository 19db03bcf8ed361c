"""Points, one by one or as a series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wf_instrument.backends.apptuit.exceptions import ApptuitDataError
from wf_instrument.backends.apptuit.timeseries import TimeSeriesName

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DataPoint", "TimeSeries"]


class DataPoint:
    """One value of a metric.

    Args:
        metric: The metric, or a `TimeSeriesName`, which has the tags too.
        tags: Its tags.
        timestamp: Unix time in seconds.
        value: A number, or a text that holds one.

    Raises:
        ApptuitDataError: The value is no number, or a name is empty; also a `ValueError`.
    """

    __slots__ = ("_value", "timeseries_name", "timestamp")

    def __init__(
        self,
        metric: str | TimeSeriesName,
        tags: dict[str, Any] | None,
        timestamp: float,
        value: float | str,
    ) -> None:
        if isinstance(metric, TimeSeriesName):
            name = metric if tags is None else TimeSeriesName(metric.metric, tags)
        else:
            name = TimeSeriesName(metric, tags)
        self.timeseries_name = name
        self.timestamp = timestamp
        self.value = value

    @property
    def metric(self) -> str:
        """The metric."""
        return self.timeseries_name.metric

    @property
    def tags(self) -> dict[str, Any] | None:
        """The tags."""
        return self.timeseries_name.tags

    @property
    def value(self) -> float:
        """The value."""
        return self._value

    @value.setter
    def value(self, value: float | str) -> None:
        self._value = _number(self.metric, value)

    def __repr__(self) -> str:
        return self.timeseries_name.shown(f"timestamp: {self.timestamp}", f"value: {self._value:f}")


class TimeSeries:
    """Points of one metric with the same tags.

    Args:
        metric: The metric.
        tags: Its tags.
        index: Times of the points, Unix time in seconds; a list is kept as it is.
        values: Their values, as many.

    Attributes:
        name: The `TimeSeriesName`.
        timestamps: The times.
        values: The values.

    Raises:
        ApptuitDataError: There are not as many times as values, or a name is empty; also a
            `ValueError`.
    """

    def __init__(
        self,
        metric: str,
        tags: dict[str, Any] | None,
        index: Iterable[float] | None = None,
        values: Iterable[float] | None = None,
    ) -> None:
        self.name = TimeSeriesName(metric, tags)
        self.timestamps = _as_list(index)
        self.values = _as_list(values)
        if len(self.timestamps) != len(self.values):
            raise ApptuitDataError(
                f"series {metric!r} has {len(self.timestamps)} times and {len(self.values)} "
                "values; give as many of both"
            )

    @property
    def metric(self) -> str:
        """The metric."""
        return self.name.metric

    @property
    def tags(self) -> dict[str, Any] | None:
        """The tags."""
        return self.name.tags

    def add_point(self, timestamp: float, value: float | str) -> None:
        """Append a point.

        Raises:
            ApptuitDataError: The value is no number.
        """
        number = _number(self.metric, value)
        self.timestamps.append(timestamp)
        self.values.append(number)

    def __len__(self) -> int:
        return len(self.timestamps)

    def __repr__(self) -> str:
        return self.name.shown()


def _as_list(values: Iterable[float] | None) -> list[float]:
    if isinstance(values, list):
        return values
    return [] if values is None else list(values)


def _number(metric: str, value: float | str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as exc:
        raise ApptuitDataError(f"value of {metric!r} is {value!r}; give a number") from exc
