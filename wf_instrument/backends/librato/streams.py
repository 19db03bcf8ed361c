"""What a chart shows: metrics or formulas, one stream each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from wf_instrument.backends.librato.json_text import JsonObject

__all__ = ["Stream"]

#: Source: Librato API reference, "Charts", stream properties; `position` is of the service's own.
_FIELDS: Final = (
    "metric", "source", "composite", "name", "type", "id", "group_function", "summary_function",
    "transform_function", "downsample_function", "period", "split_axis", "gap_detection", "min",
    "max", "units_short", "units_long", "color", "position", "composite_function",
)  # fmt: skip


class Stream:
    """One line of a chart; fields that are not known here are kept as attributes and saved.

    Args:
        metric: A metric's name.
        source: Of a metric without tags: a name, a pattern, or `*` for all.
        composite: A formula, instead of both.
        name: For people.
        fields: All others of the service: `tags`, `color`, `group_function`, ...
    """

    def __init__(
        self,
        metric: str | None = None,
        source: str | None = "*",
        composite: str | None = None,
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - the service's name
        id: int | str | None = None,  # noqa: A002 - the service's name
        group_function: str | None = None,
        summary_function: str | None = None,
        transform_function: str | None = None,
        downsample_function: str | None = None,
        period: int | None = None,
        split_axis: bool | None = None,
        gap_detection: bool | None = None,
        min: float | None = None,  # noqa: A002 - the service's name
        max: float | None = None,  # noqa: A002 - the service's name
        units_short: str | None = None,
        units_long: str | None = None,
        color: str | None = None,
        position: int | None = None,
        composite_function: str | None = None,
        **fields: object,
    ) -> None:
        # The service shows one or the other.
        self.metric = None if composite else metric
        # Tags say which of a metric's measurements: `*` would ask for those without any.
        has_no_source = composite or (fields.get("tags") and source == "*")
        self.source = None if has_no_source else source
        self.composite = composite
        self.name = name
        self.type = type
        self.id = id
        self.group_function = group_function
        self.summary_function = summary_function
        self.transform_function = transform_function
        self.downsample_function = downsample_function
        self.period = period
        self.split_axis = split_axis
        self.gap_detection = gap_detection
        self.min = min
        self.max = max
        self.units_short = units_short
        self.units_long = units_long
        self.color = color
        self.position = position
        self.composite_function = composite_function
        self._given: JsonObject = {}
        self._more = tuple(fields)
        for key, value in fields.items():
            setattr(self, key, value)

    @classmethod
    def from_dict(cls, data: JsonObject) -> Stream:
        """Return the stream of an answer, whose every field it keeps, empty ones too."""
        fields = {str(key): value for key, value in data.items()}
        stream = cls(**{"source": None, **fields})
        stream.metric, stream.source = data.get("metric"), data.get("source")
        stream._given = dict(data)
        return stream

    def __getattr__(self, name: str) -> Any:
        # Fields of the service that this one was not given.
        if name == "tags":
            return None
        raise AttributeError(f"stream has no field {name!r}")

    def __repr__(self) -> str:
        return f"Stream<{self.composite or self.metric}>"

    def get_payload(self) -> JsonObject:
        """Return all fields that are set, and those the service gave."""
        names = dict.fromkeys((*_FIELDS, *self._more, *self._given))
        if getattr(self, "tags", None) is not None:
            names["tags"] = None
        values = {name: getattr(self, name, None) for name in names}
        return {
            name: value
            for name, value in values.items()
            if value is not None or (name in self._given and self._given[name] is None)
        }
