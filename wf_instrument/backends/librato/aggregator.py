"""Values added up before they are sent: count, sum, least and greatest of each metric.

Threads: any.
Locks: `_lock` guards what was gathered; it is not held on the network.
Fork: the child begins with nothing: the parent sends what it gathered.
Loss: what the service calls bad, which the error raised holds.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Literal

from wf_instrument.backends.librato.json_text import JsonObject, finite_number
from wf_instrument.backends.librato.measurements import MAX_PER_CHUNK
from wf_instrument.backends.librato.parcels import Parcel, deliver
from wf_instrument.backends.librato.tag_holder import TagHolder
from wf_instrument.forking import reset_after_fork

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wf_instrument.backends.librato.requester import Requester

__all__ = ["Aggregator"]

_Sums = dict[str, JsonObject]


class Aggregator(TagHolder):
    """Gathers values by metric; `submit`, or a queue, sends their summaries.

    Args:
        connection: Sends.
        source: Of the summaries without tags.
        tags: Of the tagged ones, over those of the connection.
        period: Seconds; the time is cut down to a multiple.
        measure_time: Unix time of the summaries; now, if there is a `period`, when None.

    Attributes:
        connection: As given, like the others.
        measurements: Summaries without tags by metric.
        tagged_measurements: Tagged ones.
    """

    def __init__(
        self,
        connection: Requester,
        source: str | None = None,
        tags: Mapping[str, str] | None = None,
        period: int | None = None,
        measure_time: int | None = None,
        **_: object,
    ) -> None:
        self.connection = connection
        self.source = source
        self.tags = dict(tags or {})
        self.period = period
        self.measure_time = measure_time
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self.measurements: _Sums = {}
        self.tagged_measurements: _Sums = {}
        self._owed: list[Parcel] = []

    def add(self, name: str, value: float) -> JsonObject:
        """Add a value to a metric without tags; returns the summaries so far.

        Raises:
            ValueError: It is no finite number.
        """
        return self._add(self.measurements, name, value)

    def add_tagged(self, name: str, value: float) -> JsonObject:
        """Add a value to a metric with the aggregator's tags; returns the summaries so far.

        Raises:
            ValueError: It is no finite number.
        """
        return self._add(self.tagged_measurements, name, value)

    def _add(self, sums: _Sums, name: str, value: float) -> JsonObject:
        clean = self.connection.sanitize(name)
        if not clean:
            raise ValueError("a measurement has no name; give the metric's")
        number = finite_number(value, f"the value of {clean!r}")
        with self._lock:
            known = sums.get(clean)
            if known is None:
                sums[clean] = {"count": 1, "sum": number, "min": number, "max": number}
            else:
                known["count"] += 1
                known["sum"] += number
                known["min"] = min(known["min"], number)
                known["max"] = max(known["max"], number)
        return sums

    def to_payload(self) -> JsonObject:
        """Return the body for the summaries without tags."""
        with self._lock:
            body: JsonObject = {"gauges": _items(self.measurements)}
        if self.source:
            body["source"] = self.source
        return self._timed(body, "measure_time")

    def to_md_payload(self) -> JsonObject:
        """Return the body for the tagged summaries; the connection's tags are among them."""
        with self._lock:
            body: JsonObject = {"measurements": _items(self.tagged_measurements)}
        tags = {**self.connection.get_tags(), **self.tags}
        if tags:
            body["tags"] = tags
        return self._timed(body, "time")

    def get_measure_time(self) -> int | None:
        """Return the time of what would be sent now, as `floor_measure_time`."""
        return self.floor_measure_time()

    def floor_measure_time(self) -> int | None:
        """Return the time cut down to the period; None when the service may give its own."""
        at_s = self.measure_time
        if not self.period:
            return at_s or None
        at_s = int(time.time()) if at_s is None else at_s
        return at_s - at_s % self.period

    def clear(self) -> None:
        """Forget what was gathered; a given `measure_time` stays."""
        with self._lock:
            self.measurements.clear()
            self.tagged_measurements.clear()

    def submit(self) -> None:
        """Send the summaries and begin anew; nothing when there is none.

        Raises:
            ClientError: Some were not delivered. They keep their time and go first the next time;
                `delivery` says how many.
        """
        parcels = [part for one in self._take_parcels() for part in one.split(MAX_PER_CHUNK)]
        with self._lock:
            self._owed += parcels
        deliver(self.connection, self._take, self._put_back)

    def take_items(
        self,
    ) -> Iterator[tuple[Literal["gauges", "counters", "measurements"], JsonObject]]:
        """Hand over the summaries for a queue, each with its time, source and tags."""
        legacy, tagged = self._take_parcels()
        shared = {key: value for key, value in legacy.body.items() if key != "gauges"}
        for item in legacy.body["gauges"]:
            yield "gauges", {**item, **shared}
        # The connection's tags are the queue's to add, beneath its own.
        own = {"tags": self.get_tags()} if self.tags else {}
        time_s = {"time": tagged.body["time"]} if "time" in tagged.body else {}
        for item in tagged.body["measurements"]:
            yield "measurements", {**item, **time_s, **own}

    def _take_parcels(self) -> tuple[Parcel, Parcel]:
        """Return what was gathered so far and forget it."""
        with self._lock:
            taken, self.measurements = self.measurements, {}
            tagged, self.tagged_measurements = self.tagged_measurements, {}
        twin = type(self)(self.connection, self.source, self.tags, self.period, self.measure_time)
        twin.measurements, twin.tagged_measurements = taken, tagged
        return Parcel("metrics", twin.to_payload()), Parcel("measurements", twin.to_md_payload())

    def _take(self) -> Parcel | None:
        with self._lock:
            while self._owed:
                parcel = self._owed.pop(0)
                if len(parcel):
                    return parcel
            return None

    def _put_back(self, parcels: list[Parcel]) -> int:
        with self._lock:
            self._owed[:0] = parcels
            return sum(map(len, self._owed))

    def _timed(self, body: JsonObject, key: str) -> JsonObject:
        time_s = self.floor_measure_time()
        return body if time_s is None else {**body, key: time_s}


def _items(sums: _Sums) -> list[JsonObject]:
    return [{**sum_, "name": name} for name, sum_ in sums.items()]
