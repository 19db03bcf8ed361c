"""Calls about annotation streams, their events and the links of these.

Source:
    Librato API reference, "Annotations".
"""

from __future__ import annotations

from typing import Any

from wf_instrument.backends.librato.annotations import Annotation
from wf_instrument.backends.librato.json_text import JsonObject, path_of, to_object
from wf_instrument.backends.librato.listing import Listing
from wf_instrument.backends.librato.requester import Requester

__all__ = ["AnnotationCalls"]


class AnnotationCalls(Requester):
    """The part of a connection that is about annotations."""

    def list_annotation_streams(self, **query_props: object) -> Listing[Annotation]:
        """Return all streams, or those whose name contains `name`."""
        return Listing(
            lambda query: self._mexe("annotations", query_props=query),
            "annotations",
            lambda item: Annotation.from_dict(self, item),
            query_props,
        )

    def get_annotation_stream(self, name: str, **query_props: object) -> Annotation:
        """Return a stream; with `start_time` or `count` its events too."""
        answer = self._mexe(path_of("annotations", name), query_props=query_props)
        return Annotation.from_dict(self, to_object(answer, f"annotation stream {name!r}"))

    def get_annotation(self, name: str, id: int | str, **query_props: object) -> JsonObject:  # noqa: A002 - the name programs pass
        """Return one event of a stream."""
        answer = self._mexe(path_of("annotations", name, id), query_props=query_props)
        return to_object(answer, f"event {id!r}")

    def post_annotation(self, name: str, **query_props: object) -> Any:
        """Add an event to a stream, which is created if need be; returns the event.

        Args:
            name: Of the stream.
            query_props: `title`, which must be; `source`, `description`, `links`, `start_time`,
                `end_time`.
        """
        return self._mexe(path_of("annotations", name), method="POST", query_props=query_props)

    def update_annotation_stream(self, name: str, **query_props: object) -> Any:
        """Change properties of a stream: `display_name` for example, and nothing else."""
        return self._mexe(path_of("annotations", name), method="PUT", query_props=query_props)

    def delete_annotation_stream(self, name: str, **query_props: object) -> None:
        """Delete a stream with its events."""
        self._mexe(path_of("annotations", name), method="DELETE", query_props=query_props)

    def update_annotation(self, name: str, id: int | str, **query_props: object) -> None:  # noqa: A002
        """Change an event: `title`, `description`, `end_time`, `links`."""
        self._mexe(path_of("annotations", name, id), method="PUT", query_props=query_props)

    def delete_annotation(self, name: str, id: int | str) -> None:  # noqa: A002
        """Delete one event."""
        self._mexe(path_of("annotations", name, id), method="DELETE")

    def add_annotation_link(self, name: str, id: int | str, **query_props: object) -> Any:  # noqa: A002
        """Add a link to an event: `rel`, `href`, and `label` for people."""
        path = path_of("annotations", name, id, "links")
        return self._mexe(path, method="POST", query_props=query_props)

    def delete_annotation_link(self, name: str, id: int | str, rel: str) -> None:  # noqa: A002
        """Delete the link of an event that has this relation."""
        self._mexe(path_of("annotations", name, id, "links", rel), method="DELETE")
