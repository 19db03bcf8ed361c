"""Conditions of alerts.

Source:
    Librato API reference, "Alerts", alert conditions: durations from 60 to 3600 seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

    from wf_instrument.backends.librato.json_text import JsonObject

__all__ = ["Condition"]

_KNOWN: Final = (
    "type", "metric_name", "source", "tags", "summary_function", "duration", "threshold",
)  # fmt: skip
#: Below, seconds are out of the service's range, and a number can mean minutes alone.
_SHORTEST_S: Final = 60


class Condition:
    """When an alert is triggered; all its conditions must hold.

    Args:
        metric_name: What is watched.
        source: Of a metric without tags: a name, a pattern, or `*` for all.
        tags: Of a metric with tags: `[{"name": "env", "values": ["prod"], "grouped": False}]`, or
            values by name.

    Attributes:
        condition_type: `above`, `below`, `absent`, or another of the service; None as long as
            none was chosen.
        threshold: Of `above` and `below`.
        summary_function: What is compared with the threshold.
    """

    ABOVE: Final = "above"
    BELOW: Final = "below"
    ABSENT: Final = "absent"
    SUMMARY_FUNCTION_AVERAGE: Final = "average"

    def __init__(
        self,
        metric_name: str,
        source: str | None = "*",
        tags: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
    ) -> None:
        self.metric_name = metric_name
        self.tags = _tag_list(tags)
        # Source: Librato API reference: a condition with tags has no source.
        self.source = None if self.tags else source
        self.condition_type: str | None = None
        self.threshold: float | None = None
        self.summary_function: str | None = None
        self._duration: int | None = None
        self._given: JsonObject = {}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Condition:
        """Return the condition of an answer, or of a program: every field is kept."""
        condition = cls(data["metric_name"], data.get("source", "*"), data.get("tags"))
        condition.condition_type = data.get("type")
        condition.threshold = data.get("threshold")
        condition.summary_function = data.get("summary_function")
        condition._duration = data.get("duration")
        condition._given = dict(data)
        return condition

    def __repr__(self) -> str:
        return f"Condition<{self.metric_name} {self.condition_type} {self.threshold}>"

    def above(self, threshold: float, summary_function: str = SUMMARY_FUNCTION_AVERAGE) -> Self:
        """Trigger above a threshold, at once unless `duration` follows."""
        return self._compare(self.ABOVE, threshold, summary_function)

    def below(self, threshold: float, summary_function: str = SUMMARY_FUNCTION_AVERAGE) -> Self:
        """Trigger below a threshold, at once unless `duration` follows."""
        return self._compare(self.BELOW, threshold, summary_function)

    def stops_reporting_for(self, duration: int) -> Self:
        """Trigger when nothing came for so long: see `duration`."""
        self.condition_type = self.ABSENT
        # A summary of nothing is nothing.
        self.summary_function = None
        return self.duration(duration)

    def duration(self, duration: int) -> Self:
        """Trigger only after so many seconds, 60 to 3600; below 60 they are minutes."""
        self._duration = duration * 60 if 0 < duration < _SHORTEST_S else duration
        return self

    def immediate(self) -> bool:
        """Whether it triggers at once."""
        return not self._duration

    def get_payload(self) -> JsonObject:
        """Return what is saved.

        Raises:
            ValueError: It says nothing: call `above`, `below` or `stops_reporting_for`.
        """
        if not self.condition_type:
            raise ValueError(
                f"the condition for {self.metric_name!r} says nothing; "
                "call above(), below() or stops_reporting_for()"
            )
        payload: JsonObject = {k: v for k, v in self._given.items() if k not in _KNOWN}
        payload["type"] = self.condition_type
        payload["metric_name"] = self.metric_name
        payload["source"] = self.source
        payload["tags"] = _tag_list(self.tags)
        optional = {
            "summary_function": self.summary_function,
            "duration": self._duration,
            "threshold": self.threshold if self.condition_type != self.ABSENT else None,
        }
        for name, value in optional.items():
            if value is not None or (name in self._given and self._given[name] is None):
                payload[name] = value
        return payload

    def _compare(self, kind: str, threshold: float, summary_function: str) -> Self:
        self.condition_type = kind
        self.threshold = threshold
        self.summary_function = summary_function
        self._duration = None
        return self


def _tag_list(tags: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None) -> list[JsonObject]:
    """Return tags as the service wants them: a list, never an object."""
    if not tags:
        return []
    if hasattr(tags, "items"):
        return [
            {"name": name, "grouped": False, "values": _values(value)}
            for name, value in tags.items()
        ]
    return [dict(one) for one in tags]


def _values(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else [str(value)]
