"""What a query gives out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from wf_instrument.backends.apptuit.exceptions import ApptuitException, ApptuitExtraError
from wf_instrument.backends.apptuit.points import TimeSeries

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

__all__ = ["Output", "QueryResult", "read_answer"]


class Output:
    """The series of one output of a query.

    Attributes:
        series: The series.
    """

    def __init__(self, series: list[TimeSeries] | None = None) -> None:
        self.series: list[TimeSeries] = [] if series is None else series

    def __repr__(self) -> str:
        return f"Output({self.series!r})"

    def to_df(self, tz: str | None = None) -> pd.DataFrame:
        """Return a data frame: a row a time, a column a series, called as `str(series)`.

        Of several points of one series at the same time the last counts.

        Args:
            tz: The time zone to show times in; without one they are UTC, and say no zone.

        Raises:
            ApptuitExtraError: pandas is not installed; also an `ImportError`.
        """
        try:
            import pandas as pd
        except ImportError as exc:
            raise ApptuitExtraError(
                "data frames need the package 'pandas', which is not installed; "
                "run: pip install 'wf-instrument[apptuit]'",
                name="pandas",
            ) from exc
        columns = []
        for series in self.series:
            points = dict(zip(series.timestamps, series.values, strict=False))
            index = pd.to_datetime(list(points), unit="s", utc=True)
            columns.append(pd.Series(list(points.values()), index, "float64", str(series)))
        if columns:
            frame = pd.concat(columns, axis=1, join="outer", sort=True)
        else:
            frame = pd.DataFrame(index=pd.to_datetime([], unit="s", utc=True))
        frame.index = frame.index.tz_convert(tz)
        return frame


class QueryResult:
    """The outputs of a query, by position and by id.

    Attributes:
        start: From when on they were asked for.
        end: Until when; None for now.
    """

    def __init__(
        self, start: float, end: float | None, outputs: list[tuple[str, Output]] | None = None
    ) -> None:
        self.start = start
        self.end = end
        self._outputs = outputs or []
        self._by_id = dict(self._outputs)

    def keys(self) -> list[str]:
        """Return the ids of the outputs, in order."""
        return [name for name, _ in self._outputs]

    def __len__(self) -> int:
        return len(self._outputs)

    def __iter__(self) -> Iterator[Output]:
        return (output for _, output in self._outputs)

    def __getitem__(self, key: int | str) -> Output:
        if not isinstance(key, int):
            return self._by_id[key]
        if not 0 <= key < len(self._outputs):
            raise KeyError(key)
        return self._outputs[key][1]

    def __repr__(self) -> str:
        return f"{{start: {self.start}, end: {self.end}, outputs: {', '.join(self.keys())}}}"


def read_answer(body: bytes, start: float, end: float | None) -> QueryResult | None:
    """Read the answer to a query, without the points beyond its times.

    Raises:
        ApptuitException: It cannot be read.
    """
    try:
        outputs = json.loads(body)["outputs"]
        if not outputs:
            return None
        read = [
            (output["id"], _output(output.get("result") or (), start, end)) for output in outputs
        ]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise ApptuitException(
            f"the answer to the query cannot be read: {type(exc).__name__}; "
            f"it begins with {body[:80]!r}"
        ) from exc
    return QueryResult(start, end, read)


def _output(results: Any, start: float, end: float | None) -> Output:
    made = Output()
    for result in results:
        series = TimeSeries(result["metric"], result.get("tags") or {})
        for time_s, value in result["dps"]:
            if start <= time_s and (end is None or time_s <= end):
                series.timestamps.append(time_s)
                series.values.append(value)
        made.series.append(series)
    return made
