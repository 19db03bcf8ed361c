"""Metrics as the service describes them, with the measurements that were asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from wf_instrument.backends.librato.json_text import JsonObject
    from wf_instrument.backends.librato.metric_calls import MetricCalls

__all__ = ["Counter", "Gauge", "Metric"]


class Metric:
    """One metric.

    Attributes:
        connection: Through which it was read.
        name: Its name.
        attributes: How it is shown: units, colour, ...
        period: Seconds between two measurements, or None.
        description: For people.
        measurements: Lists by source; empty unless they were asked for.
        query: What the service says about the answer.
        composite: The formula of a composite metric, else None.
        source_lag: Of a composite metric.
        display_name: Another name for people, or None.
        resolution: Seconds of one measurement, or None.
        properties: All fields as the service gave them.
    """

    def __init__(
        self,
        connection: MetricCalls,
        name: str,
        attributes: Mapping[str, Any] | None = None,
        period: int | None = None,
        description: str | None = None,
    ) -> None:
        self.connection = connection
        self.name = name
        self.attributes: dict[str, Any] = dict(attributes or {})
        self.period = period
        self.description = description
        self.measurements: dict[str, list[JsonObject]] = {}
        self.query: JsonObject = {}
        self.composite: str | None = None
        self.source_lag: int | None = None
        self.display_name: str | None = None
        self.resolution: int | None = None
        self.properties: JsonObject = {}

    def __getitem__(self, name: str) -> Any:
        return self.attributes[name]

    def get(self, name: str, default: object = None) -> Any:
        """Return an attribute."""
        return self.attributes.get(name, default)

    def __repr__(self) -> str:
        return f"{type(self).__name__}<{self.name}>"

    @classmethod
    def from_dict(cls, connection: MetricCalls, data: JsonObject) -> Metric:
        """Return the object of what the service says: a `Gauge`, also for composites, or so."""
        kind = _KINDS.get(data.get("type", ""), cls)
        metric = kind(
            connection,
            data["name"],
            data.get("attributes"),
            data.get("period"),
            data.get("description"),
        )
        metric.properties = dict(data)
        metric.measurements = data.get("measurements") or {}
        metric.query = data.get("query") or {}
        metric.composite = data.get("composite")
        metric.source_lag = data.get("source_lag")
        metric.display_name = data.get("display_name")
        metric.resolution = data.get("resolution")
        return metric


class Gauge(Metric):
    """A metric of single values; composites are gauges too."""

    def add(self, value: float, source: str | None = None, **params: object) -> Self:
        """Submit one value."""
        if source is not None:
            params["source"] = source
        self.connection.submit(self.name, value, type="gauge", **params)
        return self

    def what_am_i(self) -> str:
        """Return the list a submission has it in."""
        return "gauges"


class Counter(Metric):
    """A metric of a value that only grows."""

    def add(self, value: float, source: str | None = None, **params: object) -> Self:
        """Submit the value so far."""
        if source is not None:
            params["source"] = source
        self.connection.submit(self.name, value, type="counter", **params)
        return self

    def what_am_i(self) -> str:
        """Return the list a submission has it in."""
        return "counters"


_KINDS: dict[str, type[Metric]] = {"gauge": Gauge, "counter": Counter, "composite": Gauge}
