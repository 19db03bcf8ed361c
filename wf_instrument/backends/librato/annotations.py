"""Annotation streams: events, shown with the charts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wf_instrument.backends.librato.annotation_calls import AnnotationCalls
    from wf_instrument.backends.librato.json_text import JsonObject

__all__ = ["Annotation"]


class Annotation:
    """A stream of events.

    Attributes:
        connection: Through which it was read.
        name: Its name.
        display_name: Another name for people, or None.
        events: Lists of events by source, `unassigned` without one; empty unless asked for.
        query: What the service says about the answer.
        properties: All fields as the service gave them.
    """

    def __init__(
        self, connection: AnnotationCalls, name: str, display_name: str | None = None
    ) -> None:
        self.connection = connection
        self.name = name
        self.display_name = display_name
        self.events: dict[str, list[JsonObject]] = {}
        self.query: JsonObject = {}
        self.properties: JsonObject = {}

    def __repr__(self) -> str:
        return f"Annotation<{self.name}>"

    @classmethod
    def from_dict(cls, connection: AnnotationCalls, data: JsonObject) -> Annotation:
        """Return the stream of an answer."""
        stream = cls(connection, data["name"], data.get("display_name"))
        stream.events = _by_source(data.get("events"))
        stream.query = data.get("query") or {}
        stream.properties = dict(data)
        return stream

    def get_payload(self) -> JsonObject:
        """Return name and display name."""
        return {"name": self.name, "display_name": self.display_name}


def _by_source(events: Any) -> dict[str, list[JsonObject]]:
    """Return events by source: the service's documentation has a list of such dictionaries."""
    merged: dict[str, list[JsonObject]] = {}
    for one in events if isinstance(events, list) else [events or {}]:
        for source, found in one.items():
            merged.setdefault(source, []).extend(found)
    return merged
