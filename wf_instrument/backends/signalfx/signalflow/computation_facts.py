"""What the messages of a computation say about it.

Threads: the one that iterates writes; others read single values.
"""

from __future__ import annotations

from typing import Any

from wf_instrument.backends.signalfx.signalflow import messages

__all__ = ["ComputationFacts"]


class ComputationFacts:
    """The facts known so far.

    Attributes:
        id: The handle of the computation, or None.
        resolution: Milliseconds between two times, or None.
        num_input_timeseries: How many time series it reads.
        find_matched_no_timeseries: Whether a query matched nothing.
        find_limited_resultset: Whether a query matched more than is read.
        find_matched_size: How much it matched.
        find_limit_size: How much of it is read.
        group_by_missing_property: Whether it groups by a property that is nowhere.
        group_by_missing_properties: Which.
        max_delay_ms: How long the service waits for late data at first, or None.
        lag_ms: How far behind the service last said it is, or None.
    """

    def __init__(self) -> None:
        self.id: str | None = None
        self.resolution: int | None = None
        self.num_input_timeseries = 0
        self.find_matched_no_timeseries = False
        self.find_limited_resultset = False
        self.find_matched_size = 0
        self.find_limit_size = 0
        self.group_by_missing_property = False
        self.group_by_missing_properties: list[str] = []
        self.max_delay_ms: int | None = None
        self.lag_ms: int | None = None
        self._metadata: dict[str, dict[str, Any]] = {}

    def get_known_tsids(self) -> list[str]:
        """Return the ids of the time series of which something is known, sorted."""
        return sorted(self._metadata)

    def get_metadata(self, tsid: str) -> dict[str, Any] | None:
        """Return what is known of a time series, or None."""
        return self._metadata.get(tsid)

    def learn(self, message: messages.StreamMessage) -> None:
        """Keep what a message says."""
        if isinstance(message, messages.JobStartMessage):
            self.id = message.handle
        elif isinstance(message, messages.MetadataMessage) and message.tsid is not None:
            self._metadata[message.tsid] = message.properties or {}
        elif isinstance(message, messages.ExpiredTsIdMessage) and message.tsid is not None:
            self._metadata.pop(message.tsid, None)
        elif isinstance(message, messages.InfoMessage):
            self._learn_from(message.message or {})

    def _learn_from(self, body: dict[str, Any]) -> None:
        given = body.get("contents")
        contents = given if isinstance(given, dict) else {}
        code = body.get("messageCode")
        if code == "JOB_RUNNING_RESOLUTION":
            self.resolution = contents.get("resolutionMs")
        elif code == "FETCH_NUM_TIMESERIES":
            self.num_input_timeseries += _number(body.get("numInputTimeSeries"))
        elif code == "FIND_MATCHED_NO_TIMESERIES":
            self.find_matched_no_timeseries = True
        elif code == "FIND_LIMITED_RESULT_SET":
            self.find_limited_resultset = True
            self.find_matched_size = _number(contents.get("matchedSize"))
            self.find_limit_size = _number(contents.get("limitSize"))
        elif code == "GROUPBY_MISSING_PROPERTY":
            names = contents.get("propertyNames")
            self.group_by_missing_property = True
            self.group_by_missing_properties = names if isinstance(names, list) else []
        elif code == "JOB_INITIAL_MAX_DELAY":
            self.max_delay_ms = contents.get("maxDelayMs")
        elif code == "JOB_DETECTED_LAG":
            self.lag_ms = contents.get("lagMs")


def _number(value: object) -> int:
    """Return a number given as such or in digits; 0 for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value[:18])
    return value if isinstance(value, int) else 0
