"""Calls about spaces and their charts.

Source:
    Librato API reference, "Spaces", "Charts".
"""

from __future__ import annotations

from typing import Any

from wf_instrument.backends.librato.charts import Chart
from wf_instrument.backends.librato.exceptions import BadAnswer
from wf_instrument.backends.librato.json_text import JsonObject, path_of, to_object
from wf_instrument.backends.librato.listing import Listing
from wf_instrument.backends.librato.requester import Requester
from wf_instrument.backends.librato.spaces import Space
from wf_instrument.backends.librato.streams import Stream

__all__ = ["SpaceCalls"]

_SpaceLike = Space | int | str


class SpaceCalls(Requester):
    """The part of a connection that is about spaces and charts."""

    def list_spaces(self, **query_props: object) -> Listing[Space]:
        """Return all spaces, or those whose name contains `name`."""
        return Listing(
            lambda query: self._mexe("spaces", query_props=query),
            "spaces",
            lambda item: Space.from_dict(self, item),
            query_props,
        )

    def get_space(self, id: int | str, **query_props: object) -> Space:  # noqa: A002 - the name programs pass
        """Return a space with the ids of its charts."""
        answer = self._mexe(path_of("spaces", id), query_props=query_props)
        return Space.from_dict(self, to_object(answer, f"space {id!r}"))

    def find_space(self, name: str) -> Space | None:
        """Return the space of this name, in whatever case; None when there is none.

        Raises:
            ValueError: It is no name.
        """
        if not isinstance(name, str):
            raise ValueError(f"{name!r} is no name of a space; get_space() takes an id")
        # The same spelling first: the service tells names by case, this call does not.
        alike = [one for one in self.list_spaces(name=name) if _same(one.name, name)]
        for space in sorted(alike, key=lambda one: one.name != name):
            if space.id is not None:
                return self.get_space(space.id)
        return None

    def create_space(self, name: str, **query_props: object) -> Space:
        """Create a space; with `tags=True` for tagged metrics."""
        body = {"name": name, **query_props}
        answer = to_object(self._mexe("spaces", method="POST", query_props=body), "a space")
        return Space.from_dict(self, {**body, **answer})

    def update_space(self, space: Space, **query_props: object) -> Any:
        """Save a space, with other properties if any are given."""
        body = {**space.get_payload(), **query_props}
        return self._mexe(path_of("spaces", _id_of(space)), method="PUT", query_props=body)

    def delete_space(self, id: _SpaceLike) -> None:  # noqa: A002 - the name programs pass
        """Delete a space with its charts."""
        self._mexe(path_of("spaces", _id_of(id)), method="DELETE")

    def list_charts_in_space(self, space: _SpaceLike, **query_props: object) -> list[Chart]:
        """Return the charts of a space."""
        space_id = _id_of(space)
        answer = self._mexe(path_of("spaces", space_id, "charts"), query_props=query_props)
        if not isinstance(answer, list):
            raise BadAnswer(None, f"the charts of a space should be a list: {str(answer)[:80]!r}")
        return [Chart.from_dict(self, {**one, "space_id": space_id}) for one in answer]

    def get_chart(
        self, chart_id: int | str, space_or_space_id: _SpaceLike, **query_props: object
    ) -> Chart:
        """Return a chart of a space."""
        space_id = _id_of(space_or_space_id)
        path = path_of("spaces", space_id, "charts", chart_id)
        answer = to_object(self._mexe(path, query_props=query_props), f"chart {chart_id!r}")
        return Chart.from_dict(self, {**answer, "space_id": space_id})

    def find_chart(self, name: str, space: _SpaceLike) -> Chart | None:
        """Return the chart of this name, in whatever case; None when there is none."""
        alike = [one for one in self.list_charts_in_space(space) if _same(one.name or "", name)]
        for chart in sorted(alike, key=lambda one: one.name != name):
            if chart.id is not None:
                return self.get_chart(chart.id, space)
        return None

    def create_chart(self, name: str, space: _SpaceLike, **query_props: Any) -> Chart:
        """Create a chart in a space: a line chart, unless `type` says otherwise.

        Streams may be dictionaries or `Stream` objects.
        """
        body = {"type": "line", "streams": (), **query_props, "name": name}
        body["streams"] = [_payload(one) for one in body["streams"] or ()]
        space_id = _id_of(space)
        path = path_of("spaces", space_id, "charts")
        answer = to_object(self._mexe(path, method="POST", query_props=body), "a chart")
        return Chart.from_dict(self, {**body, **answer, "space_id": space_id})

    def update_chart(self, chart: Chart, space: _SpaceLike, **query_props: Any) -> Any:
        """Save a chart, with other properties if any are given."""
        body = {**chart.get_payload(), **query_props}
        body["streams"] = [_payload(one) for one in body["streams"] or ()]
        path = path_of("spaces", _id_of(space), "charts", _id_of(chart))
        return self._mexe(path, method="PUT", query_props=body)

    def delete_chart(
        self, chart_id: int | str, space_id: _SpaceLike, **query_props: object
    ) -> None:
        """Delete a chart."""
        path = path_of("spaces", _id_of(space_id), "charts", chart_id)
        self._mexe(path, method="DELETE", query_props=query_props)


def _id_of(thing: Space | Chart | int | str) -> int | str:
    """Return an id.

    Raises:
        ValueError: There is none.
    """
    found = thing.id if isinstance(thing, (Space, Chart)) else thing
    if not isinstance(found, (int, str)) or isinstance(found, bool):
        raise ValueError(f"{thing!r} has no id; save it first, or give an id")
    return found


def _payload(stream: Any) -> JsonObject:
    return stream.get_payload() if isinstance(stream, Stream) else stream


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()
