"""Outbound services: whom an alert tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wf_instrument.backends.librato.json_text import JsonObject

__all__ = ["Service"]


class Service:
    """One outbound service.

    Args:
        _id: Its id, a number or a text of one; None until it is saved.
        title: For people.
        type: `mail`, `slack`, ...
        settings: Of this type, free in form.

    Attributes:
        properties: All fields as the service gave them.
    """

    def __init__(
        self,
        _id: int | str | None,
        title: str | None = None,
        type: str | None = None,  # noqa: A002 - the service's name
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._id = _id
        self.title = title
        self.type = type
        self.settings = settings
        self.properties: JsonObject = {}

    @property
    def id(self) -> int | str | None:
        """The same as `_id`."""
        return self._id

    @classmethod
    def from_dict(cls, connection: object, data: JsonObject) -> Service:
        """Return the service of an answer."""
        service = cls(data.get("id"), data.get("title"), data.get("type"), data.get("settings"))
        service.properties = dict(data)
        return service

    def __repr__(self) -> str:
        # Settings may hold a secret of the service.
        return f"Service<{self.type}><{self.title}>"

    def get_payload(self) -> JsonObject:
        """Return id, title, type and settings."""
        return {
            **self.properties,
            "id": self._id,
            "title": self.title,
            "type": self.type,
            "settings": self.settings,
        }
