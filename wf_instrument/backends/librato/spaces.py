"""Spaces: pages of charts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.librato.charts import Chart

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wf_instrument.backends.librato.json_text import JsonObject
    from wf_instrument.backends.librato.space_calls import SpaceCalls
    from wf_instrument.backends.librato.streams import Stream

    StreamLike = Stream | Mapping[str, Any] | Sequence[Any]

__all__ = ["Space"]

_NOT_SENT: Final = frozenset({"id", "charts", "created_at", "updated_at"})


class Space:
    """One space; fields of the service that are not known here are kept and saved.

    Args:
        connection: Saves it.
        name: Its name.
        id: None until it is saved.
        chart_dicts: Its charts as the service lists them, with their ids.
        tags: Whether its charts show tagged metrics.
        fields: All others of the service.

    Attributes:
        chart_ids: Ids of its charts, as far as they were listed.
    """

    def __init__(
        self,
        connection: SpaceCalls,
        name: str,
        id: int | str | None = None,  # noqa: A002 - the service's name
        chart_dicts: Iterable[Mapping[str, Any]] | None = None,
        tags: bool = False,
        **fields: object,
    ) -> None:
        self.connection = connection
        self.name = name
        self.id = id
        self.tags = tags
        self.chart_ids: list[int | str] = [one["id"] for one in chart_dicts or () if "id" in one]
        self._more = fields
        self._given: JsonObject = {}
        self._charts: list[Chart] | None = None

    @classmethod
    def from_dict(cls, connection: SpaceCalls, data: JsonObject) -> Space:
        """Return the space of an answer."""
        fields = {
            str(key): value
            for key, value in data.items()
            if key not in {"name", "id", "charts", "tags", "connection"}
        }
        space = cls(
            connection, data["name"], data.get("id"), data.get("charts"), data.get("tags", False),
            **fields,
        )  # fmt: skip
        space._given = dict(data)
        return space

    def __repr__(self) -> str:
        return f"Space<{self.name}>"

    def get_payload(self) -> JsonObject:
        """Return what is saved."""
        payload: JsonObject = {k: v for k, v in self._more.items() if k not in _NOT_SENT}
        payload["name"] = self.name
        if not self.persisted() or "tags" in self._given:
            payload["tags"] = self.tags
        return payload

    def persisted(self) -> bool:
        """Whether the service has it."""
        return self.id is not None

    def charts(self) -> list[Chart]:
        """Return its charts; asked for once, and again as long as there is none."""
        if not self._charts:
            self._charts = self.connection.list_charts_in_space(self)
            self.chart_ids = [chart.id for chart in self._charts if chart.id is not None]
        return list(self._charts)

    def new_chart(self, name: str, **kwargs: Any) -> Chart:
        """Return a chart in this space, which is not saved yet."""
        return Chart(self.connection, name, space_id=self.id, **kwargs)

    def add_chart(self, name: str, **kwargs: Any) -> Chart:
        """Save a chart in this space and return it."""
        chart: Chart = self.new_chart(name, **kwargs).save()
        if self._charts is not None:
            self._charts.append(chart)
        if chart.id is not None:
            self.chart_ids.append(chart.id)
        return chart

    def add_line_chart(self, name: str, streams: Iterable[StreamLike] = ()) -> Chart:
        """Save a line chart."""
        return self.add_chart(name, type="line", streams=streams)

    def add_single_line_chart(
        self,
        name: str,
        metric: str | None = None,
        source: str | None = "*",
        group_function: str | None = None,
        summary_function: str | None = None,
    ) -> Chart:
        """Save a line chart of one metric."""
        stream = _stream(metric, source, group_function, summary_function)
        return self.add_line_chart(name, [stream])

    def add_stacked_chart(self, name: str, streams: Iterable[StreamLike] = ()) -> Chart:
        """Save a stacked chart."""
        return self.add_chart(name, type="stacked", streams=streams)

    def add_single_stacked_chart(self, name: str, metric: str, source: str | None = "*") -> Chart:
        """Save a stacked chart of one metric."""
        return self.add_stacked_chart(name, [_stream(metric, source)])

    def add_bignumber_chart(
        self,
        name: str,
        metric: str,
        source: str | None = "*",
        group_function: str | None = "average",
        summary_function: str | None = "average",
        use_last_value: bool = True,
    ) -> Chart:
        """Save a chart of one number."""
        stream = _stream(metric, source, group_function, summary_function)
        return self.add_chart(
            name, type="bignumber", streams=[stream], use_last_value=use_last_value
        )

    def save(self) -> Any:
        """Save it: a new one is created and returned, another is changed."""
        if self.persisted():
            return self.connection.update_space(self)
        payload = self.get_payload()
        created = self.connection.create_space(payload.pop("name"), **payload)
        self.id = created.id
        return created

    def rename(self, new_name: str) -> None:
        """Give it another name, and save it."""
        self.name = new_name
        self.save()

    def delete(self) -> None:
        """Delete it with its charts.

        Raises:
            ValueError: It was never saved.
        """
        if self.id is None:
            raise ValueError(f"space {self.name!r} was not saved, so it cannot be deleted")
        self.connection.delete_space(self.id)


def _stream(
    metric: str | None,
    source: str | None,
    group_function: str | None = None,
    summary_function: str | None = None,
) -> dict[str, Any]:
    stream = {"metric": metric, "source": source}
    if group_function is not None:
        stream["group_function"] = group_function
    if summary_function is not None:
        stream["summary_function"] = summary_function
    return stream
