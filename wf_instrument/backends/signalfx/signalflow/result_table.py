"""The result of a computation as a table: a row for each time, a column for each time series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wf_instrument.errors import MissingExtraError

if TYPE_CHECKING:
    from wf_instrument.backends.signalfx.signalflow.computation_facts import ComputationFacts
    from wf_instrument.backends.signalfx.signalflow.messages import DataMessage

__all__ = ["ResultTable"]


class ResultTable:
    """Rows of values.

    Args:
        facts: Knows the metadata of the time series.

    Attributes:
        rows: Unix time in milliseconds to the values of that time, by id of the time series.
    """

    def __init__(self, facts: ComputationFacts) -> None:
        self._facts = facts
        self._metadata: dict[str, dict[str, Any]] = {}
        self.rows: dict[int, dict[str, Any]] = {}

    def add(self, message: DataMessage) -> None:
        """Add the values of a message; those of a known time join its row."""
        if message.logical_timestamp_ms is not None:
            self.rows.setdefault(message.logical_timestamp_ms, {}).update(message.data)
            for tsid in message.data:
                found = self._facts.get_metadata(tsid)
                if found is not None:  # kept, since it may expire
                    self._metadata[tsid] = found

    @property
    def tsids(self) -> list[str]:
        """The ids of the columns, in the order in which they came."""
        return list(dict.fromkeys(tsid for row in self.rows.values() for tsid in row))

    def metadata(self, tsid: str) -> dict[str, Any]:
        """Return what is known of a column."""
        return self._metadata.get(tsid, {})

    def label(self, tsid: str) -> str:
        """Return a column's stream label and metric with its dimensions; its id if unknown."""
        found = self.metadata(tsid)
        name = found.get("sf_streamLabel") or found.get("sf_originatingMetric")
        name = name or found.get("sf_metric")
        keys = found.get("sf_key")
        pairs = [
            f"{key}={found[key]}"
            for key in (keys if isinstance(keys, list) else [])
            if isinstance(key, str) and not key.startswith("sf_") and key in found
        ]
        if not name:
            return tsid
        return f"{name}{{{','.join(sorted(pairs))}}}" if pairs else str(name)

    def to_lists(self) -> list[list[Any]]:
        """Return a head, `timestamp` and the labels, and the rows, ascending by time."""
        tsids = self.tsids
        head: list[Any] = ["timestamp", *map(self.label, tsids)]
        body = [
            [at_ms, *(row.get(tsid) for tsid in tsids)] for at_ms, row in sorted(self.rows.items())
        ]
        return [head, *body]

    def to_df(self) -> Any:
        """Return a pandas `DataFrame`, indexed by time in UTC.

        Its columns are the ids; `attrs["labels"]` and `attrs["metadata"]` say what they are.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as exc:
            raise MissingExtraError(
                "to_df() needs the package 'pandas', which is not installed; "
                "run: pip install pandas",
                name="pandas",
            ) from exc
        tsids, times = self.tsids, sorted(self.rows)
        frame = pandas.DataFrame(
            {tsid: [self.rows[at_ms].get(tsid) for at_ms in times] for tsid in tsids},
            index=pandas.to_datetime(times, unit="ms", utc=True),
        )
        frame.index.name = "timestamp"
        frame.attrs["labels"] = {tsid: self.label(tsid) for tsid in tsids}
        frame.attrs["metadata"] = {tsid: self.metadata(tsid) for tsid in tsids}
        return frame
