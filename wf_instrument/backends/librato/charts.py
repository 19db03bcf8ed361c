"""Charts of a space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.librato.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wf_instrument.backends.librato.json_text import JsonObject
    from wf_instrument.backends.librato.space_calls import SpaceCalls
    from wf_instrument.backends.librato.spaces import Space

__all__ = ["Chart"]

#: Fields that are sent when they are set.
_OPTIONAL: Final = (
    "min", "max", "label", "use_log_yaxis", "use_last_value", "related_space",
)  # fmt: skip
#: Fields that are the model's own affair, or the service's.
_NOT_SENT: Final = frozenset({"id", "space_id", "created_at", "updated_at"})


class Chart:
    """One chart; fields of the service that are not known here are kept and saved.

    Args:
        connection: Saves it.
        name: Its name.
        id: None until it is saved.
        type: `line`, `stacked` or `bignumber`.
        space_id: Of the space it is in.
        streams: What it shows.
        min: Lower end of the axis, or None.
        max: Upper end, or None.
        label: Of the axis.
        use_log_yaxis: Whether the axis is logarithmic.
        use_last_value: Whether a big number is the last value.
        related_space: Id of a space that a click leads to.
        thresholds: Of a big number, `[{"operator": ">", "value": 90, "type": "red"}]`.
        fields: All others of the service.

    Attributes:
        streams: `Stream` objects.
    """

    def __init__(
        self,
        connection: SpaceCalls,
        name: str | None = None,
        id: int | str | None = None,  # noqa: A002 - the service's name
        type: str = "line",  # noqa: A002 - the service's name
        space_id: int | str | None = None,
        streams: Iterable[Stream | Mapping[str, Any] | Sequence[Any]] = (),
        min: float | None = None,  # noqa: A002 - the service's name
        max: float | None = None,  # noqa: A002 - the service's name
        label: str | None = None,
        use_log_yaxis: bool | None = None,
        use_last_value: bool | None = None,
        related_space: int | str | None = None,
        *,
        thresholds: Sequence[Mapping[str, Any]] | None = None,
        **fields: object,
    ) -> None:
        self.connection = connection
        self.name = name
        self.id = id
        self.type = type
        self.space_id = space_id
        self.streams: list[Stream] = [_stream(one) for one in streams or ()]
        self.min = min
        self.max = max
        self.label = label
        self.use_log_yaxis = use_log_yaxis
        self.use_last_value = use_last_value
        self.related_space = related_space
        self.thresholds = thresholds
        self._more = dict(fields)
        self._given: JsonObject = {}
        self._space: Space | None = None

    @classmethod
    def from_dict(cls, connection: SpaceCalls, data: JsonObject) -> Chart:
        """Return the chart of an answer, whose every field it keeps."""
        fields = {str(key): value for key, value in data.items()}
        streams = fields.pop("streams", None) or ()
        fields.pop("connection", None)
        chart = cls(connection, **fields)
        chart.streams = [Stream.from_dict(dict(one)) for one in streams]
        chart._given = dict(data)
        return chart

    def __repr__(self) -> str:
        return f"Chart<{self.type}><{self.name}>"

    def get_payload(self) -> JsonObject:
        """Return what is saved: name, type and streams, all that is set, all the service gave."""
        payload = {"name": self.name, "type": self.type, "streams": self.streams_payload()}
        for name in (*_OPTIONAL, "thresholds"):
            value = getattr(self, name)
            # A field the service gave and the program unset is sent as such.
            if value is not None or name in self._given:
                payload[name] = value
        return {**{k: v for k, v in self._more.items() if k not in _NOT_SENT}, **payload}

    def known_attributes(self) -> list[str]:
        """Return the names of the fields that `get_payload` looks at."""
        return ["name", "type", "streams", *_OPTIONAL, "thresholds", *self._more]

    def streams_payload(self) -> list[JsonObject]:
        """Return the streams as they are saved."""
        return [stream.get_payload() for stream in self.streams]

    def new_stream(
        self, metric: str | None = None, source: str | None = "*", **kwargs: Any
    ) -> Stream:
        """Add a stream and return it; `save` saves it."""
        stream = Stream(metric, source, **kwargs)
        self.streams.append(stream)
        return stream

    def space(self) -> Space:
        """Return the space it is in; asked for once.

        Raises:
            ValueError: It is in none.
        """
        if self._space is None:
            self._space = self.connection.get_space(self._space_id())
        return self._space

    def persisted(self) -> bool:
        """Whether the service has it."""
        return self.id is not None

    def save(self) -> Any:
        """Save it: a new one is created and returned, another is changed.

        Raises:
            ValueError: It is in no space.
        """
        space_id = self._space_id()
        if self.persisted():
            return self.connection.update_chart(self, space_id)
        payload = self.get_payload()
        created = self.connection.create_chart(payload.pop("name"), space_id, **payload)
        self.id = created.id
        return created

    def rename(self, new_name: str) -> None:
        """Give it another name, and save it."""
        self.name = new_name
        self.save()

    def delete(self) -> None:
        """Delete it.

        Raises:
            ValueError: It was never saved.
        """
        if self.id is None:
            raise ValueError(f"chart {self.name!r} was not saved, so it cannot be deleted")
        self.connection.delete_chart(self.id, self._space_id())

    def _space_id(self) -> int | str:
        if self.space_id is None:
            raise ValueError(f"chart {self.name!r} is in no space; give space_id")
        return self.space_id


def _stream(given: Stream | Mapping[str, Any] | Sequence[Any]) -> Stream:
    if isinstance(given, Stream):
        return given
    if isinstance(given, Mapping):
        return Stream(**given)
    return Stream(*given)
